// The way of the original: the cache is a JSON file, read and parsed for every request.
const { readFileSync } = require('node:fs')
const express = require('express')

const app = express()
app.get('/health', (request, response) => response.json({ status: 'healthy' }))
app.get('/fetch-data', (request, response) => {
  const data = JSON.parse(readFileSync(process.env.CACHE_FILE, 'utf8'))
  response.json({ status: 'success', count: data.length, data })
})
app.listen(Number(process.env.PORT), '127.0.0.1')
