import type { FileReference } from '../snapshot.ts'
import { literal, quote, type Database } from './database.ts'
import type { SqlTable } from './snapshot-schema.ts'

const MAX_REFERENCES = 1000

/**
 * Writes down which rows speak of which files; `fileColumns` are those of each table, whose cells are lists of files as
 * JSON. Entries without an id, and cells that are no list, are passed over.
 */
export function writeFileReferences(
  db: Database,
  tables: readonly SqlTable[],
  fileColumns: ReadonlyMap<string, readonly string[]>,
): void {
  db.transaction(() => {
    db.exec('DELETE FROM _hf_files')
    for (const table of tables) {
      const wanted = fileColumns.get(table.name) ?? []
      for (const { name, type } of table.columns) {
        if (type !== 'json' || !wanted.includes(name)) continue
        const cell = `t.${table.sql(name)}`
        const member = (path: string) => `json_extract(f.value, '$.${path}')`
        db.exec(
          `INSERT OR IGNORE INTO _hf_files (id, table_name, key, column_name, name, type, bytes)
             SELECT ${member('id')}, ${literal(table.name)}, hf_key(${table.keySql('t.')}), ${literal(name)},
                    coalesce(CAST(${member('filename')} AS TEXT), ''), CAST(${member('type')} AS TEXT),
                    iif(typeof(${member('size')}) = 'integer', ${member('size')}, NULL)
               FROM ${quote(table.sqlName)} t, json_each(iif(json_type(${cell}) = 'array', ${cell}, '[]')) f
              WHERE ${cell} IS NOT NULL AND f.type = 'object' AND typeof(${member('id')}) = 'text'`,
        )
      }
    }
  })()
}

/** The rows of a snapshot that speak of files, found by primary key. */
export class FileReferences {
  readonly #ofFile

  constructor(db: Database) {
    this.#ofFile = db.prepare<[string, string, string, string], FileReference>(
      `SELECT table_name AS "table", key, column_name AS "column", id, name, type, bytes FROM _hf_files
        WHERE id = ? AND (table_name, key, column_name) > (?, ?, ?)
        ORDER BY table_name, key, column_name LIMIT ${MAX_REFERENCES}`,
    )
  }

  /** At most 1000, behind the one that is named. */
  of(id: string, after?: FileReference): FileReference[] {
    return this.#ofFile.all(id, after?.table ?? '', after?.key ?? '', after?.column ?? '')
  }
}
