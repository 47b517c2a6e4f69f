import { type Answer, forEachInOrder, whenThere } from '#kernel/answer';
import type { RoomId } from '#kernel/ids';
import { asNumber, Collection } from '#projections/collection';
import type { OwnRows } from '#projections/projector';
import {
  type BucketRow,
  digestOfKey,
  entriesOf,
  findBucketOf,
  findBucketRow,
  formatPlaceBehind,
  GRAPH_STATE,
  isSplit,
  MOST_ENTRIES,
  nextChange,
  partOf,
  PARTS,
  partsOf,
  stateRowKey,
} from './bucket-rows.js';
import { findNewestRow, GRAPH_NEWEST } from './newest-rows.js';
import { formatStatePlace, NO_STATE, type StatePlace } from './graph-rows.js';
import { changeEntries, type Entries, formatEntries, type StateValue } from './state-entries.js';

export const GRAPH_LINES = new Collection<readonly [roomId: RoomId, line: string], number>('graph-lines', {
  key: ['room', 'line'],
  says: 'how many changes of state are on it',
  codec: asNumber,
});

interface Change {
  readonly value: StateValue;
  readonly digest: string;
}

/**
 * Writes a state at a place of its own: that of `base` with some changes, and its root where that is known. The place follows upon
 * `base` on its line, or is the first of a new line. Answers the bucket that tells the root.
 */
function writeState(
  rows: OwnRows,
  roomId: RoomId,
  base: StatePlace,
  at: StatePlace,
  changes: readonly StateValue[],
  root: string | undefined,
): Answer<string | undefined> {
  if (changes.length === 0) return undefined;
  const writer = new StateWriter(rows, roomId, at, root);
  return whenThere(writer.write(base, digested(changes)), () => writer.rootIn);
}

/**
 * Writes the state that follows upon another: on the line of that, or as the first of a line of this name where that has gone
 * another way. Answers its place.
 */
export function writeNextState(
  rows: OwnRows,
  roomId: RoomId,
  base: StatePlace,
  newLine: string,
  changes: readonly StateValue[],
  root: string | undefined,
): Answer<StatePlace> {
  return whenThere(isEndOfLine(rows, roomId, base), (isEnd) => {
    const line = isEnd ? base.line : newLine;
    const index = isEnd ? base.index + 1 : 1;
    GRAPH_LINES.put(rows, [roomId, line], index);
    const written = writeState(rows, roomId, base, { line, index }, changes, root);
    return whenThere(written, (rootIn) => (rootIn === undefined ? { line, index } : { line, index, rootIn }));
  });
}

/** Whether no change of state has gone on from a place on its line. */
export function isEndOfLine(rows: OwnRows, roomId: RoomId, { line, index }: StatePlace): Answer<boolean> {
  if (line === NO_STATE.line) return false;
  return whenThere(GRAPH_LINES.get(rows, [roomId, line]), (last) => last === index);
}

class StateWriter {
  rootIn: string | undefined;

  constructor(
    private readonly rows: OwnRows,
    private readonly roomId: RoomId,
    private readonly at: StatePlace,
    private readonly root: string | undefined,
  ) {}

  /** Writes what changes upon a base. */
  write(base: StatePlace, changes: readonly Change[]): Answer<void> {
    const [first, second] = changes;
    if (second !== undefined || base.line !== this.at.line) return this.#changeFrom('', base, changes);
    return whenThere(
      findBucketOf(base, first!.digest, (upTo, bucket) => this.#find(upTo, bucket)),
      (found) => {
        // The rows on the way to the bucket stay as they are.
        if (found?.row.at.line === this.at.line) return this.#change(found.bucket, found.upTo, changes, found.row);
        return this.#changeFrom('', base, changes);
      },
    );
  }

  /** What is written goes on from the end of its line: there the last row is the newest. */
  #find(upTo: StatePlace, bucket: string): Answer<BucketRow | undefined> {
    const { rows, roomId, at } = this;
    const find = upTo.line === at.line ? findNewestRow : findBucketRow;
    return find(rows, roomId, upTo, bucket);
  }

  #changeFrom(bucket: string, upTo: StatePlace, changes: readonly Change[]): Answer<void> {
    return whenThere(this.#find(upTo, bucket), (newest) => this.#change(bucket, upTo, changes, newest));
  }

  #change(bucket: string, upTo: StatePlace, changes: readonly Change[], newest: BucketRow | undefined): Answer<void> {
    if (newest !== undefined && isSplit(newest)) return this.#changeParts(bucket, upTo, newest, changes);
    const values = changes.map(({ value }) => value);
    const next = newest && nextChange(this.rows, this.roomId, bucket, newest, values);
    return whenThere(next, (told) => {
      if (told === undefined) return this.#changeAll(bucket, values, newest);
      const on = formatPlaceBehind(told.on, this.at);
      this.#put(bucket, `+${told.counts} ${on}${this.#tellRoot(bucket)}${formatEntries(told.changes)}`);
    });
  }

  #changeAll(bucket: string, values: readonly StateValue[], newest: BucketRow | undefined): Answer<void> {
    const before: Answer<Entries> =
      newest === undefined ? new Map() : entriesOf(this.rows, this.roomId, bucket, newest);
    return whenThere(before, (entries) => {
      changeEntries(entries, values);
      this.#writeAll(bucket, [...entries.values()]);
    });
  }

  #changeParts(bucket: string, upTo: StatePlace, newest: BucketRow, changes: readonly Change[]): Answer<void> {
    const places = partsOf(newest, upTo);
    const parts = spread(changes, bucket.length);
    const changed = [...parts.keys()].filter((part) => parts[part]!.length > 0);
    const isOnLine = (part: number): boolean => places[part]!.line === this.at.line;
    const written = forEachInOrder(changed, (part) =>
      this.#changeFrom(`${bucket}${part}`, places[part]!, parts[part]!),
    );
    return whenThere(written, () => {
      if (newest.at.line === this.at.line && changed.every(isOnLine)) return;
      const told = places.map((place, part) =>
        parts[part]!.length > 0 || isOnLine(part) ? '' : formatStatePlace(place),
      );
      this.#put(bucket, `/${told.join(' ')}`);
    });
  }

  #writeAll(bucket: string, entries: readonly StateValue[]): void {
    if (entries.length <= MOST_ENTRIES) {
      this.#put(bucket, `=${this.#tellRoot(bucket)}${formatEntries(entries)}`);
      return;
    }
    const parts = spread(digested(entries), bucket.length);
    for (const [part, some] of parts.entries()) {
      this.#writeAll(
        `${bucket}${part}`,
        some.map(({ value }) => value),
      );
    }
    this.#put(bucket, `/${' '.repeat(PARTS - 1)}`);
  }

  /** The first row of a bucket that is written tells it. */
  #tellRoot(bucket: string): string {
    if (this.root === undefined || this.rootIn !== undefined) return '';
    this.rootIn = bucket;
    return `#${this.root}`;
  }

  #put(bucket: string, value: string): void {
    const { line, index } = this.at;
    GRAPH_STATE.put(this.rows, stateRowKey(this.roomId, bucket, this.at), value);
    GRAPH_NEWEST.put(this.rows, [this.roomId, line, bucket], index);
  }
}

function digested(values: readonly StateValue[]): Change[] {
  return values.map((value) => ({ value, digest: digestOfKey(value) }));
}

function spread(changes: readonly Change[], depth: number): Change[][] {
  const parts = Array.from({ length: PARTS }, (): Change[] => []);
  for (const change of changes) parts[partOf(change.digest, depth)]!.push(change);
  return parts;
}
