// The least that Node.js can do: a file that is in memory, sent as it is to whoever asks.
const { readFileSync } = require('node:fs')
const { createServer } = require('node:http')

const bytes = readFileSync(process.env.FILE)
const headers = { 'Content-Type': 'application/json', 'Content-Length': bytes.length }
if (process.env.CODING !== 'identity') headers['Content-Encoding'] = process.env.CODING

createServer((request, response) => {
  if (request.url === '/ready') return response.end()
  response.writeHead(200, headers)
  response.end(bytes)
}).listen(Number(process.env.PORT), '127.0.0.1')
