import { writeSync } from 'node:fs';
import type { Database, RootDatabase } from 'lmdb';
import { messageOf } from '#kernel/message-of';
import { LogOfAnotherVersion } from '../event-store-errors.js';
import { FactRecords } from './fact-record.js';
import { FOUND_EXIT_CODE, OPENED_MARK } from './find-damage.js';
import { isOfMachine } from './is-of-machine.js';
import { openRoot } from './open-root.js';

/*
 * The process that looks for damage: it is given a directory and what is in it. It reads the keys of all tables first, which
 * finds what would end a process soonest, then the values.
 */

type Table = Database<Buffer, Buffer>;

const ENCODING = { keyEncoding: 'binary', encoding: 'binary' } as const;
const ZEROS = Buffer.alloc(16);
/** Closed by a zero byte, LMDB keeps the names of tables as rows of the root. */
const TABLE_NAME = /^(.+)\0$/s;

const [directory, kind] = process.argv.slice(2);

try {
  const options = { path: directory!, readOnly: true, maxDbs: 1000, ...ENCODING };
  lookThrough(openRoot<Buffer, Buffer>(options, () => void writeSync(1, OPENED_MARK)));
} catch (error) {
  // At once: neither the end of the process nor LMDB's own may come between.
  writeSync(1, messageOf(error));
  process.exit(isOfMachine(error) ? 1 : FOUND_EXIT_CODE);
}
process.exit(0);

/** Throws where something is not as it was written. */
function lookThrough(root: RootDatabase<Buffer, Buffer>): void {
  const keys = [...root.getKeys()].map((key) => key.toString('latin1'));
  const names = keys.map((key) => TABLE_NAME.exec(key)?.[1]).filter((name) => name !== undefined);
  const tables = new Map<string, Table>();
  for (const name of names) {
    if (name.startsWith('\u0001')) continue;
    // Its keys have an order of their own.
    const keyEncoding = kind === 'log' && name === 'names' ? 'uint32' : 'binary';
    tables.set(name, root.openDB<Buffer, Buffer>({ name, ...ENCODING, keyEncoding }));
  }
  for (const [name, table] of tables) checkKeys(name, table);
  for (const [name, table] of tables) checkValues(name, table);
}

/** Whether the table leads to as many rows as it says it has. */
function checkKeys(name: string, table: Table): void {
  const { entryCount } = table.getStats() as { entryCount: number };
  let rows = 0;
  for (const _ of table.getKeys()) rows++;
  if (rows !== entryCount) throw new Error(`of ${entryCount} rows in ${name} ${rows} are left`);
}

function checkValues(name: string, table: Table): void {
  const records = new FactRecords();
  let row = 0;
  /** Where all facts are of another version nothing is damaged, which who opens the log finds as well. */
  let other: Error | undefined;
  let known = 0;
  for (const { value } of table.getRange()) {
    row++;
    try {
      if (kind === 'views') checkText(value);
      else if (name === 'facts') records.decode(value, value.length, String);
      known++;
    } catch (error) {
      const text = `row ${row} of ${name} is not as it was written: ${(error as Error).message}`;
      const damage = new Error(text, { cause: error });
      if (!(error instanceof LogOfAnotherVersion) || error.layout === 0) throw damage;
      other ??= damage;
    }
  }
  if (known > 0 && other !== undefined) throw other;
}

/** All values of views are text, and text has no zeros. */
function checkText(value: Buffer): void {
  if (value.includes(ZEROS)) throw new Error('it holds zeros');
}
