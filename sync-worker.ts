// Plain JavaScript, so that any Node can read it and say what it needs.
require('./lib/base/require-node.cjs')
require('node:module').enableCompileCache()

void import('./lib/entry/work.ts').then(({ work }) => work(process.argv.slice(2)))
