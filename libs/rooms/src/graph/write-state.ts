import { type Answer, whenThere } from '#kernel/answer';
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
async function writeState(
  rows: OwnRows,
  roomId: RoomId,
  base: StatePlace,
  at: StatePlace,
  changes: readonly StateValue[],
  root: string | undefined,
): Promise<string | undefined> {
  const writer = new StateWriter(rows, roomId, at, root);
  if (changes.length > 0) await writer.write(base, digested(changes));
  return writer.rootIn;
}

/**
 * Writes the state that follows upon another: on the line of that, or as the first of a line of this name where that has gone
 * another way. Answers its place.
 */
export async function writeNextState(
  rows: OwnRows,
  roomId: RoomId,
  base: StatePlace,
  newLine: string,
  changes: readonly StateValue[],
  root: string | undefined,
): Promise<StatePlace> {
  const place = (await isEndOfLine(rows, roomId, base))
    ? { line: base.line, index: base.index + 1 }
    : { line: newLine, index: 1 };
  GRAPH_LINES.put(rows, [roomId, place.line], place.index);
  const rootIn = await writeState(rows, roomId, base, place, changes, root);
  return { ...place, ...(rootIn !== undefined && { rootIn }) };
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
  async write(base: StatePlace, changes: readonly Change[]): Promise<void> {
    const [first, second] = changes;
    // The rows on the way to the bucket stay as they are.
    if (second === undefined && base.line === this.at.line) {
      const found = await findBucketOf(this.rows, this.roomId, base, first!.digest);
      if (found?.row.at.line === this.at.line) return this.#change(found.bucket, found.upTo, changes, found.row);
    }
    await this.#change('', base, changes, await this.#find('', base));
  }

  #find(bucket: string, upTo: StatePlace): Answer<BucketRow | undefined> {
    return findBucketRow(this.rows, this.roomId, upTo, bucket);
  }

  async #change(
    bucket: string,
    upTo: StatePlace,
    changes: readonly Change[],
    newest: BucketRow | undefined,
  ): Promise<void> {
    if (newest !== undefined && isSplit(newest)) return this.#changeParts(bucket, upTo, newest, changes);
    const values = changes.map(({ value }) => value);
    const next = newest && (await nextChange(this.rows, this.roomId, bucket, newest, values));
    if (next === undefined) {
      const entries: Entries =
        newest === undefined ? new Map() : await entriesOf(this.rows, this.roomId, bucket, newest);
      changeEntries(entries, values);
      return this.#writeAll(bucket, [...entries.values()]);
    }
    const on = formatPlaceBehind(next.on, this.at);
    this.#put(bucket, `+${next.counts} ${on}${this.#tellRoot(bucket)}${formatEntries(next.changes)}`);
  }

  async #changeParts(bucket: string, upTo: StatePlace, newest: BucketRow, changes: readonly Change[]): Promise<void> {
    const places = partsOf(newest, upTo);
    const parts = spread(changes, bucket.length);
    let isTold = newest.at.line === this.at.line;
    for (const [part, some] of parts.entries()) {
      if (some.length === 0) continue;
      isTold &&= places[part]!.line === this.at.line;
      const place = places[part]!;
      await this.#change(`${bucket}${part}`, place, some, await this.#find(`${bucket}${part}`, place));
    }
    if (isTold) return;
    const told = places.map((place, part) =>
      parts[part]!.length > 0 || place.line === this.at.line ? '' : formatStatePlace(place),
    );
    this.#put(bucket, `/${told.join(' ')}`);
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
    GRAPH_STATE.put(this.rows, stateRowKey(this.roomId, bucket, this.at), value);
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
