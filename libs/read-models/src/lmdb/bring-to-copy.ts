import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Environment, openCollection, type Rows } from './open-environment.js';
import type { Written } from './written-keys.js';

/** What is read and handed to LMDB in one turn, so that nobody waits for long. */
const KEYS_AT_ONCE = 500;
const CHARACTERS_AT_ONCE = 512 * 1024;
/** So many of these LMDB may have to do yet. */
const WAITING = 8;

/** Has a copy hold, of the keys that were written, what the file holds now, and nothing from before a collection was emptied. */
export async function bringToCopy({ dropped, keys }: Written, file: Environment, copy: Environment): Promise<void> {
  for (const name of dropped) await copy.collections.get(name)?.clearAsync();
  for (const [name, some] of keys) {
    const rows = file.collections.get(name);
    if (rows !== undefined) await bringKeys(some, { file, rows }, { copy, rows: collectionIn(copy, name) });
  }
}

function collectionIn({ root, collections }: Environment, name: string): Rows {
  let rows = collections.get(name);
  if (rows === undefined) collections.set(name, (rows = openCollection(root, name)));
  return rows;
}

interface From {
  readonly file: Environment;
  readonly rows: Rows;
}

interface To {
  readonly copy: Environment;
  readonly rows: Rows;
}

async function bringKeys(keys: ReadonlySet<string>, from: From, to: To): Promise<void> {
  const all = [...keys];
  const waiting: Promise<unknown>[] = [];
  for (let at = 0; at < all.length;) {
    // Not what was there earlier in this turn.
    from.file.root.resetReadTxn();
    const some: [key: string, value: string | undefined][] = [];
    for (let characters = 0; at < all.length && some.length < KEYS_AT_ONCE && characters < CHARACTERS_AT_ONCE; at++) {
      const value = from.rows.get(all[at]!);
      some.push([all[at]!, value]);
      characters += value?.length ?? 0;
    }
    const batch = to.copy.root.batch(() => {
      for (const [key, value] of some) {
        if (value === undefined) void to.rows.remove(key);
        else void to.rows.put(key, value);
      }
    });
    batch.catch(() => {});
    if (waiting.push(batch) === WAITING) await waiting.shift();
    await nextTurn();
  }
  await Promise.all(waiting);
}
