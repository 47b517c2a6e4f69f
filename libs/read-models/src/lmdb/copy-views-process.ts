import { closeSync, fdatasyncSync, openSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { openRoot } from '#event-store/lmdb/open-root';
import { messageOf } from '#kernel/message-of';
import type { Database } from 'lmdb';
import { COPY_NOW, COPYING, type CopyStep, FREE_BYTES } from './copy-messages.js';
import { collectionNames, FORMAT_KEY, openFile } from './open-environment.js';
import { DATA_FILE } from './views-folders.js';

/*
 * The process that copies the views row by row into a file of their own, in which there is nothing else: it is given the folder of
 * their file and that of the copy. It opens the first once it is told to, when nobody writes: LMDB takes for its last transaction what
 * somebody who opens it finds in it. What is written after that it may copy or not.
 */

/** Rows as they are: nothing is decoded. */
type Table = Database<Buffer, Buffer>;

const AS_THEY_ARE = { keyEncoding: 'binary', encoding: 'binary' } as const;
const MAX_COLLECTIONS = 1000;
/** Below every key. */
const BEGINNING = Buffer.from([0]);
/** What one transaction takes. */
const ROWS_AT_ONCE = 5000;
const BYTES_AT_ONCE = 4 * 1024 * 1024;
/** How much may wait for the disk: were it all of it, at the end, the log would wait as well. */
const UNSYNCED_BYTES = 16 * 1024 * 1024;

const [from, to] = process.argv.slice(2) as [string, string];
let unsynced = 0;

// Whoever began it is gone.
process.on('disconnect', () => process.exit(1));
process.once('message', (message) => {
  if (message !== COPY_NOW) return;
  copyAll().then(
    () => tell('copied', 0),
    (error: unknown) => tell(messageOf(error), 1),
  );
});
tell('ready');

/** Tells a step, or why there will be none; and ends where that is the last. */
function tell(message: CopyStep | typeof COPYING | (string & {}), exitCode?: number): void {
  process.send!(message, () => {
    if (exitCode !== undefined) process.exit(exitCode);
  });
}

async function copyAll(): Promise<void> {
  const { root: source } = openFile(from, 'to read');
  tell('opened');
  const target = openRoot<Buffer, Buffer>({ path: to, maxDbs: MAX_COLLECTIONS, noSync: true, ...AS_THEY_ARE });
  target.putSync(Buffer.from(FORMAT_KEY, 'latin1'), Buffer.from(source.get(FORMAT_KEY)!));
  for (const name of collectionNames(source)) {
    const rows = source.openDB<Buffer, Buffer>({ name, ...AS_THEY_ARE });
    let copy: Table | undefined;
    for (let after: Buffer | undefined = BEGINNING; after !== undefined;) {
      // A collection that is empty goes with this.
      if (copy === undefined && rows.getKeysCount({ limit: 1 }) === 0) break;
      copy ??= target.openDB<Buffer, Buffer>({ name, ...AS_THEY_ARE });
      after = target.transactionSync(() => copySome(rows, copy!, after!));
      if (unsynced > UNSYNCED_BYTES) sync();
      tell(COPYING);
      // It sees what has come since, and is told where nobody waits for it any more.
      source.resetReadTxn();
      await nextTurn();
    }
  }
  await target.close();
  sync();
}

/** Copies the next rows behind a key. Answers the last of them, undefined where there are no more. */
function copySome(rows: Table, copy: Table, after: Buffer): Buffer | undefined {
  let bytes = 0;
  let count = 0;
  for (const { key, value } of rows.getRange({ start: after, exclusiveStart: after !== BEGINNING })) {
    // It answers whether it did, though its type says nothing of that.
    if ((copy.putSync(key, value, { append: true }) as unknown) === false)
      throw new Error('the rows of the views are not in their order');
    bytes += key.length + value.length;
    if (++count < ROWS_AT_ONCE && bytes < BYTES_AT_ONCE) continue;
    unsynced += bytes;
    return Buffer.from(key);
  }
  unsynced += bytes;
  return undefined;
}

/** Has the disk take what was copied. Throws where that leaves too little room for others. */
function sync(): void {
  unsynced = 0;
  const descriptor = openSync(join(to, DATA_FILE), 'r');
  fdatasyncSync(descriptor);
  closeSync(descriptor);
  const { bavail, bsize } = statfsSync(to);
  if (bavail * bsize < FREE_BYTES) throw new Error('there is no room left on the disk');
}
