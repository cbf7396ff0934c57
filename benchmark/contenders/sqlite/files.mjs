/** The database of all contenders: one table, in WAL mode, with the same durability. */
import { DatabaseSync } from "node:sqlite"

export const rows = 200_000

export const pragmas = ["journal_mode = WAL", "synchronous = NORMAL"]

/** Fills the database, always with Node's driver. A row has 100 B. */
export const fill = (filename) => {
  const database = new DatabaseSync(filename)
  for (const pragma of pragmas) database.exec(`PRAGMA ${pragma}`)
  database.exec(`
    CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT, price REAL, stock INTEGER, note TEXT, tag TEXT);
    INSERT INTO item
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows})
      SELECT i, 'item ' || i, i * 0.5, i % 100, 'a note of some length, the same for each', 'tag ' || (i % 10) FROM n;
    CREATE TABLE log (id INTEGER PRIMARY KEY, item INTEGER, text TEXT);
    PRAGMA wal_checkpoint(TRUNCATE);`)
  database.close()
}

export const pointRead = "SELECT id, name, price FROM item WHERE id = ?"
/** Takes half a second to a second, and returns one row. */
export const scan = "SELECT count(*) AS n FROM item a, item b WHERE a.id % 7 = b.id % 11 AND b.id < 60"
export const insert = "INSERT INTO log (item, text) VALUES (?, ?)"
/** Returns five times as many rows as the table has. */
export const allRows =
  "SELECT a.id, a.name, a.price, a.stock, a.note, a.tag FROM item a, (VALUES (1), (2), (3), (4), (5)) LIMIT ?"
