import { type Answer, whenThere } from '#kernel/answer';
import type { RoomId } from '#kernel/ids';
import { asText, Collection } from '#projections/collection';
import { stateKeyOf } from '#protocol/state-trie/state-key-of';
import type { StateEntry } from '#protocol/state-trie/state-trie';
import { digestOf } from '#protocol/state-trie/trie-node';
import { type GraphRows, indexKey, indexOfKey, NO_STATE, statePlaceOf, type StatePlace } from './graph-rows.js';
import { type Entries, changeEntries, markOfKey, readEntries, type StateValue } from './state-entries.js';

/*
 * How states are kept, in rows that are never written again. The keys of a state are spread over buckets, by the first bits of
 * their hash; a bucket that grows too large is split in four. A row (room, line, bucket, index) says what
 * the bucket holds since that change of state:
 *
 *     =[#{root}]                            all of it: entries follow
 *     +{all}.{of block} {place}[#{root}]    what changed upon the row at the place: on the same line, if no line is named; how many
 *                                           changes there are since all of it was told, and since the last block of changes
 *     /{four places}                        it was split: up to which place the four parts of it are found; empty: on the same line
 *
 * The root is that of the whole state, told once for each change of it.
 *
 * So a state is a tree of rows of which those that did not change are shared, whatever line they are on; each change writes
 * one row of a bucket, and where a line begins those on the way to it. Nothing grows with the number of states.
 */

type StateRowKey = readonly [roomId: RoomId, line: string, bucket: string, index: string];

/** PERF: rows stay texts, of which entries are read as they are needed (state-entries.ts). */
export const GRAPH_STATE = new Collection<StateRowKey, string>('graph-state', {
  key: ['room', 'line', 'bucket', 'index'],
  says: 'what a part of the state is since there, or what changed in it',
  codec: asText(),
});

/** The key of the row that a bucket has at a place. */
export function stateRowKey(roomId: RoomId, bucket: string, { line, index }: StatePlace): StateRowKey {
  return [roomId, line, bucket, indexKey(index)];
}

/** How many entries a bucket holds before it is split. */
export const MOST_ENTRIES = 512;
/** How many changes are told before all of a bucket is. */
export const MOST_BEHIND = 128;
/** So many changes are told once more, together, so that what a bucket holds is found with few look-ups. */
const BLOCK = 16;
export const PARTS = 4;

/** A row of a bucket and where it stands. */
export interface BucketRow {
  readonly at: StatePlace;
  readonly value: string;
}

/** The newest row of a bucket up to a place; undefined where it has none on that line. */
export function findBucketRow(
  rows: GraphRows,
  roomId: RoomId,
  { line, index }: StatePlace,
  bucket: string,
): Answer<BucketRow | undefined> {
  if (line === NO_STATE.line) return undefined;
  const to = stateRowKey(roomId, bucket, { line, index });
  const newest = GRAPH_STATE.scan(rows, { prefix: [roomId, line, bucket], to, reverse: true, limit: 1 });
  return whenThere(newest, ([found]) => found && { at: { line, index: indexOfKey(found.key[3]) }, value: found.value });
}

/** Finds the newest row of a bucket up to a place; undefined where it has none on that line. */
export type RowFinder = (upTo: StatePlace, bucket: string) => Answer<BucketRow | undefined>;

/** The bucket that a key belongs to at a place, up to where its row was looked for, and the row. */
export interface FoundBucket {
  readonly bucket: string;
  readonly upTo: StatePlace;
  readonly row: BucketRow;
}

/** The bucket of a key at a place, which is no split; undefined where nothing is there. */
export function findBucketOf(place: StatePlace, digest: string, find: RowFinder): Answer<FoundBucket | undefined> {
  return whenThere(guessBucketOf(place, digest, find), (guessed) => {
    if (guessed !== undefined) return descend(guessed.bucket, place, guessed.row, digest, find);
    return whenThere(find(place, ''), (row) => descend('', place, row, digest, find));
  });
}

/** The same, beginning at a bucket of whose parts it is one, or that it is. */
function descend(
  bucket: string,
  upTo: StatePlace,
  row: BucketRow | undefined,
  digest: string,
  find: RowFinder,
): Answer<FoundBucket | undefined> {
  if (row === undefined || !isSplit(row)) return row && { bucket, upTo, row };
  const part = partOf(digest, bucket.length);
  const [next, place] = [`${bucket}${part}`, partsOf(row, upTo)[part]!];
  return whenThere(find(place, next), (found) => descend(next, place, found, digest, find));
}

/**
 * PERF: a state has been split nearly alike for all keys, and what a bucket holds is told on a line before any part of it is. So it
 * is looked where the last key changed on this line, as deep in the tree, and not on the way there (bench/state-at.ts).
 */
function guessBucketOf(
  place: StatePlace,
  digest: string,
  find: RowFinder,
): Answer<Pick<FoundBucket, 'bucket' | 'row'> | undefined> {
  const depth = place.rootIn?.length ?? 0;
  if (depth === 0) return undefined;
  let bucket = '';
  while (bucket.length < depth) bucket += partOf(digest, bucket.length);
  return whenThere(find(place, bucket), (row) => row && { bucket, row });
}

/** All that a bucket holds as of its newest row, which is no split. */
export function entriesOf(rows: GraphRows, roomId: RoomId, bucket: string, newest: BucketRow): Answer<Entries> {
  return whenThere(rowsBehind(rows, roomId, bucket, newest), (behind) => {
    const entries: Entries = new Map();
    for (const { value } of behind.toReversed()) {
      readEntries(value, value.indexOf('\n'), (change) => changeEntries(entries, [change]));
    }
    return entries;
  });
}

/**
 * All that a bucket holds as of its newest row, in no order, without what is of one type where that is named. PERF: what is newest is
 * read first, so that nothing is kept whose place a later change has taken (bench/state-at.ts).
 */
export async function listEntries(
  rows: GraphRows,
  roomId: RoomId,
  bucket: string,
  newest: BucketRow,
  without?: string,
): Promise<StateEntry[]> {
  const found: StateEntry[] = [];
  const members = new Set<string>();
  const others = new Set<string>();
  for (const { value } of await rowsBehind(rows, roomId, bucket, newest)) {
    const isWhole = value.startsWith('=');
    const take = (entry: StateValue): void => {
      const { type, stateKey, eventId } = entry;
      const isMember = type === 'm.room.member';
      const told = isMember ? members : others;
      const key = isMember ? stateKey : stateKeyOf(type, stateKey);
      if (told.size > 0 && told.has(key)) return;
      if (!isWhole) told.add(key);
      if (eventId !== null) found.push(entry as StateEntry);
    };
    readEntries(value, value.indexOf('\n'), take, without);
  }
  return found;
}

/** What holds one key as of a bucket's newest row, which is no split; undefined where nothing does. */
export async function findEntry(
  rows: GraphRows,
  roomId: RoomId,
  bucket: string,
  newest: BucketRow,
  { type, stateKey }: Pick<StateValue, 'type' | 'stateKey'>,
): Promise<StateValue | undefined> {
  const mark = markOfKey(stateKey);
  for (const { value } of await rowsBehind(rows, roomId, bucket, newest)) {
    // PERF: most rows do not tell it, and one that is read is read as a whole.
    if (!value.includes(mark)) continue;
    let found: StateValue | undefined;
    readEntries(value, value.indexOf('\n'), (change) => {
      if (change.stateKey === stateKey && change.type === type) found = change;
    });
    if (found !== undefined) return found;
  }
  return undefined;
}

/** A row and those that it stands upon, newest first, down to one that has all of the bucket. */
function rowsBehind(rows: GraphRows, roomId: RoomId, bucket: string, newest: BucketRow): Answer<BucketRow[]> {
  return addRows(rows, roomId, bucket, [newest], placeBehind);
}

/** Adds to some rows of a bucket those that they stand upon, one after another, as long as the last of them names a next place. */
function addRows(
  rows: GraphRows,
  roomId: RoomId,
  bucket: string,
  found: BucketRow[],
  nextOf: (last: BucketRow) => StatePlace | undefined,
): Answer<BucketRow[]> {
  for (let place = nextOf(found.at(-1)!); place !== undefined; place = nextOf(found.at(-1)!)) {
    const row = getBucketRow(rows, roomId, bucket, place);
    if (row instanceof Promise) return row.then((there) => addRows(rows, roomId, bucket, [...found, there], nextOf));
    found.push(row);
  }
  return found;
}

/** The row that a bucket has at a place. Throws an Error where it is not there. */
export function getBucketRow(rows: GraphRows, roomId: RoomId, bucket: string, at: StatePlace): Answer<BucketRow> {
  return whenThere(GRAPH_STATE.get(rows, stateRowKey(roomId, bucket, at)), (value) => {
    if (value === undefined) throw new Error(`${roomId}: the graph has lost what bucket ${bucket} was at ${at.line}`);
    return { at, value };
  });
}

/** What a row of changes tells, and upon which row. */
export interface NextChange {
  readonly counts: string;
  readonly on: StatePlace;
  readonly changes: readonly StateValue[];
}

/** What a row of changes is to stand on and to tell, for some changes upon a bucket's newest row; undefined where all is to be told. */
export function nextChange(
  rows: GraphRows,
  roomId: RoomId,
  bucket: string,
  newest: BucketRow,
  changes: readonly StateValue[],
): Answer<NextChange | undefined> {
  const { all, ofBlock } = countsOf(newest);
  const total = all + changes.length;
  if (total > MOST_BEHIND) return undefined;
  if (ofBlock + changes.length < BLOCK)
    return { counts: `${total}.${ofBlock + changes.length}`, on: newest.at, changes };
  const inBlock = (row: BucketRow): StatePlace | undefined =>
    countsOf(row).ofBlock > 0 ? placeBehind(row) : undefined;
  return whenThere(addRows(rows, roomId, bucket, [newest], inBlock), (block) => {
    const on = block.at(-1)!;
    const told: Entries = new Map();
    for (const { value } of block.slice(0, -1).toReversed())
      readEntries(value, value.indexOf('\n'), (change) => tell(told, change));
    for (const change of changes) tell(told, change);
    return { counts: `${total}.0`, on: on.at, changes: [...told.values()] };
  });
}

/** A deletion is a change too, and stands until something holds the key again. */
function tell(told: Entries, change: StateValue): void {
  told.set(stateKeyOf(change.type, change.stateKey), change);
}

/** How many changes a row stands for, with its own, since all of the bucket was told and since the last block. */
function countsOf({ value }: BucketRow): { readonly all: number; readonly ofBlock: number } {
  if (!value.startsWith('+')) return { all: 0, ofBlock: 0 };
  const point = value.indexOf('.');
  return { all: Number.parseInt(value.slice(1, point), 10), ofBlock: Number.parseInt(value.slice(point + 1), 10) };
}

/** The place of the row that one stands upon; undefined for one that has all of the bucket. */
function placeBehind(row: BucketRow): StatePlace | undefined {
  if (!row.value.startsWith('+')) return undefined;
  const [, place] = headOf(row).split('#')[0]!.split(' ');
  return place!.includes(':') ? statePlaceOf(place!) : { line: row.at.line, index: Number(place) };
}

/** The place of a row as one on a line names it. */
export function formatPlaceBehind({ line, index }: StatePlace, from: StatePlace): string {
  return line === from.line ? String(index) : `${line}:${index}`;
}

/** The root of the whole state that a row tells. */
export function rootOf(row: BucketRow): string | undefined {
  return headOf(row).split('#')[1];
}

function headOf({ value }: BucketRow): string {
  const end = value.indexOf('\n');
  return end < 0 ? value : value.slice(0, end);
}

/** Whether a row says that its bucket was split. */
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

/** The hash by which a key has its bucket. */
export function digestOfKey({ type, stateKey }: Pick<StateValue, 'type' | 'stateKey'>): string {
  return digestOf(type, stateKey);
}
