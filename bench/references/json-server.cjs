// json-server over the file that DB_FILE names: { "orders": [...] }. Kept in memory, as it always does.
const jsonServer = require('json-server')

const server = jsonServer.create()
server.use(jsonServer.router(process.env.DB_FILE))
server.listen(Number(process.env.PORT), '127.0.0.1')
