// Plain CommonJS, in syntax of long ago: the one file that every Node must be able to run. An entry file requires it
// before anything else; on a Node that cannot run the rest it says so in one line and ends the process with 78.
'use strict'

const needed = require('../../package.json').engines.node.replace(/^\D+/, '')

function parts(version) {
  return version.split('.').map(Number)
}

function isOlder(version, than) {
  const [a, b] = [parts(version), parts(than)]
  for (let index = 0; index < b.length; index++) {
    if (a[index] !== b[index]) return a[index] < b[index]
  }
  return false
}

if (isOlder(process.versions.node, needed)) {
  const advice = 'Start it with `npm start`, which brings its own, or install a newer one.'
  require('node:fs').writeSync(2, `Holdfast needs Node.js ${needed} or newer; this is ${process.version}. ${advice}\n`)
  process.exit(78)
}
