import type { RoomId } from '#kernel/ids';
import { stateKeyOf } from '#protocol/state-trie/state-key-of';
import type { StateEntry } from '#protocol/state-trie/state-trie';
import { digestOf } from '#protocol/state-trie/trie-node';
import { type GraphRows, indexKey, indexOfKey, NO_STATE, statePlaceOf, type StatePlace } from './graph-rows.js';
import { type Entries, changeEntries, readEntries, type StateValue } from './state-entries.js';

/*
 * How states are kept, in rows that are never written again. The keys of a state are spread over buckets, by the first bits of
 * their hash; a bucket that grows too large is split in four. A row of `graph-state` (room, line, bucket, index) says what
 * the bucket holds since that change of state:
 *
 *     =[#{root}]                        all of it: entries follow
 *     +{rows behind}[ {place}][#{root}]  what changed, upon the row before it: on the same line, or up to the place on another
 *     /{four places}                    it was split: up to which place the four parts of it are found; empty: on the same line
 *
 * The root is that of the whole state, told once for each change of it.
 *
 * So a state is a tree of rows of which those that did not change are shared, whatever line they are on; each change writes
 * one row of a bucket, and where a line begins those on the way to it. Nothing grows with the number of states.
 */

/** How many entries a bucket holds before it is split. */
export const MOST_ENTRIES = 512;
/** How many rows must be read before one that has all of a bucket. */
export const MOST_BEHIND = 64;
export const PARTS = 4;

/** A row of a bucket and where it stands. */
export interface BucketRow {
  readonly at: StatePlace;
  readonly value: string;
}

/** The newest row of a bucket up to a place; undefined where it has none on that line. */
export async function findBucketRow(
  rows: GraphRows,
  roomId: RoomId,
  place: StatePlace,
  bucket: string,
): Promise<BucketRow | undefined> {
  return (await scanBucket(rows, roomId, place, bucket, 1))[0];
}

/** All that a bucket holds as of its newest row, which is no split. */
export async function entriesOf(rows: GraphRows, roomId: RoomId, bucket: string, newest: BucketRow): Promise<Entries> {
  const entries: Entries = new Map();
  for (const { value } of (await rowsBehind(rows, roomId, bucket, newest)).toReversed()) {
    readEntries(value, value.indexOf('\n'), (change) => changeEntries(entries, [change]));
  }
  return entries;
}

/** As `entriesOf`, in no order. PERF: most of a bucket stands in one row, and is handed on as it is read (bench/state-at.ts). */
export async function collectEntries(
  rows: GraphRows,
  roomId: RoomId,
  bucket: string,
  newest: BucketRow,
  found: StateEntry[],
): Promise<void> {
  const behind = await rowsBehind(rows, roomId, bucket, newest);
  const changes: Entries = new Map();
  const changedKeys = new Set<string>();
  for (const { value } of behind.slice(0, -1).toReversed()) {
    readEntries(value, value.indexOf('\n'), (change) => {
      changes.set(stateKeyOf(change.type, change.stateKey), change);
      changedKeys.add(change.stateKey);
    });
  }
  const add = (entry: StateValue): void => {
    if (entry.eventId !== null) found.push(entry as StateEntry);
  };
  const { value } = behind.at(-1)!;
  readEntries(value, value.indexOf('\n'), (entry) => {
    if (!changedKeys.has(entry.stateKey) || !changes.has(stateKeyOf(entry.type, entry.stateKey))) add(entry);
  });
  for (const change of changes.values()) add(change);
}

/** What holds one key as of a bucket's newest row, which is no split; undefined where nothing does. */
export async function findEntry(
  rows: GraphRows,
  roomId: RoomId,
  bucket: string,
  newest: BucketRow,
  { type, stateKey }: Pick<StateValue, 'type' | 'stateKey'>,
): Promise<StateValue | undefined> {
  for (const { value } of await rowsBehind(rows, roomId, bucket, newest)) {
    let found: StateValue | undefined;
    readEntries(value, value.indexOf('\n'), (change) => {
      if (change.stateKey === stateKey && change.type === type) found = change;
    });
    if (found !== undefined) return found;
  }
  return undefined;
}

/** A row and those that it stands upon, newest first, down to one that has all of the bucket. */
async function rowsBehind(rows: GraphRows, roomId: RoomId, bucket: string, newest: BucketRow): Promise<BucketRow[]> {
  const found = [newest];
  for (let last = newest, left = behindOf(newest); left > 0; left = behindOf(last)) {
    // Those on the same line are read at once.
    const place = placeBehind(last);
    const limit = place.line === last.at.line ? left : 1;
    const page = await scanBucket(rows, roomId, place, bucket, limit);
    if (page.length === 0) throw new Error(`${roomId}: the graph has lost what bucket ${bucket} was at ${place.line}`);
    for (const row of page) {
      found.push(row);
      last = row;
      if (behindOf(row) === 0 || placeBehind(row).line !== row.at.line) break;
    }
  }
  return found;
}

/** How many rows stand behind this one before all of the bucket is known. */
export function behindOf({ value }: BucketRow): number {
  return value.startsWith('+') ? Number.parseInt(value.slice(1), 10) : 0;
}

function placeBehind(row: BucketRow): StatePlace {
  const [, elsewhere] = headOf(row).split('#')[0]!.split(' ');
  const { line, index } = row.at;
  return elsewhere === undefined ? { line, index: index - 1 } : statePlaceOf(elsewhere);
}

/** The root of the whole state that a row tells. */
export function rootOf(row: BucketRow): string | undefined {
  return headOf(row).split('#')[1];
}

function headOf({ value }: BucketRow): string {
  const end = value.indexOf('\n');
  return end < 0 ? value : value.slice(0, end);
}

export function isSplit({ value }: BucketRow): boolean {
  return value.startsWith('/');
}

/**
 * Up to which places the parts of a split bucket are found, for who found its row by looking up to `upTo`: parts on the line of
 * the row have gone on with it.
 */
export function partsOf({ at, value }: BucketRow, upTo: StatePlace): StatePlace[] {
  return value
    .slice(1)
    .split(' ')
    .map((text) => (text === '' ? { line: at.line, index: upTo.index } : statePlaceOf(text)));
}

/** The part of a bucket at some depth that a key belongs to: two bits of its hash. */
export function partOf(digest: string, depth: number): number {
  return (digest.charCodeAt(depth >> 2) >> (6 - 2 * (depth & 3))) & 3;
}

export function digestOfKey({ type, stateKey }: Pick<StateValue, 'type' | 'stateKey'>): string {
  return digestOf(type, stateKey);
}

async function scanBucket(
  rows: GraphRows,
  roomId: RoomId,
  { line, index }: StatePlace,
  bucket: string,
  limit: number,
): Promise<BucketRow[]> {
  if (line === NO_STATE.line) return [];
  const prefix = [roomId, line, bucket];
  const found = await rows.scan('graph-state', { prefix, to: [...prefix, indexKey(index)], reverse: true, limit });
  return found.map(({ key, value }) => ({ at: { line, index: indexOfKey(key[3] as string) }, value }));
}
