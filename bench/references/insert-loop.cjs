// Reading, parsing and inserting a JSON array of flat rows, and nothing else: no checks, no digest, no resuming.
// usage: insert-loop.cjs <file.json> <database>; prints {"ms":…,"rows":…}
const { readFileSync } = require('node:fs')
const Database = require('better-sqlite3')

const [, , file, database] = process.argv
const from = performance.now()
const rows = JSON.parse(readFileSync(file, 'utf8'))
const db = new Database(database)
db.pragma('journal_mode = WAL')
db.pragma('synchronous = NORMAL')
const columns = Object.keys(rows[0])
db.exec(`CREATE TABLE data (${columns.map((name) => `"${name}"`).join(', ')})`)
const insert = db.prepare(`INSERT INTO data VALUES (${columns.map(() => '?').join(', ')})`)
db.transaction(() => {
  for (const row of rows) {
    insert.run(
      columns.map((name) => {
        const value = row[name]
        if (typeof value === 'boolean') return value ? 1 : 0
        return typeof value === 'object' && value !== null ? JSON.stringify(value) : value
      }),
    )
  }
})()
db.close()
process.stdout.write(JSON.stringify({ ms: performance.now() - from, rows: rows.length }))
