// The same behind helmet and a key that is compared in constant time.
const { createHash, timingSafeEqual } = require('node:crypto')
const express = require('express')
const helmet = require('helmet')

const digest = (text) => createHash('sha256').update(text).digest()
const expected = digest(process.env.API_KEY)

const app = express()
app.use(helmet())
app.use((request, response, next) => {
  if (timingSafeEqual(digest(request.get('X-API-Key') ?? ''), expected)) next()
  else response.status(401).json({ error: 'unauthorized' })
})
app.get('/', (request, response) => response.send('hello'))
app.listen(Number(process.env.PORT), '127.0.0.1')
