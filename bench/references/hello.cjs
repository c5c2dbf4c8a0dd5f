// What people write first: the least that Express does for an answer. Plain JavaScript, so that it starts as fast as it can.
const express = require('express')

const app = express()
app.get('/', (request, response) => response.send('hello'))
app.listen(Number(process.env.PORT), '127.0.0.1')
