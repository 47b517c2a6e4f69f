import type { EventId, RoomId } from '#kernel/ids';
import { isAfter, type Place } from '#kernel/position';
import { scanPages } from '#projections/scan-pages';
import type { Views } from '#projections/views';
import { boundAfter } from '#read-models/place-bounds';
import { stateKeyOf } from '#protocol/state-trie/state-key-of';
import type { StateChange } from '../facts/room-facts.js';
import { parseRow, type TimelineRow } from '../projections/timeline-row.js';
import { findRowsById } from './event-rows.js';

/** A key of the state dictionary. */
export type StateKey = readonly [type: string, stateKey: string];

/** How many times the events of now are followed to those they replaced, before the log of all changes is read instead. */
const MAX_STEPS = 8;

/**
 * Some keys of a room's state at a place of the log, in the order of the keys; undefined for those it did not have. What is of
 * that time or older needs one read; what has changed since is followed back, all keys together.
 */
export async function findStateRowsAt(
  views: Views,
  roomId: RoomId,
  keys: readonly StateKey[],
  place: Place,
): Promise<(TimelineRow | undefined)[]> {
  const texts = await views.getMany(
    'room-state',
    keys.map((key) => [roomId, ...key]),
  );
  const rows = texts.map((text) => (text === undefined ? undefined : parseRow(text)));
  for (let step = 0; ; step++) {
    const late = [...rows.keys()].filter((i) => rows[i] !== undefined && isAfter(rows[i].header.p, place));
    if (late.length === 0) return rows;
    const replaced = step < MAX_STEPS ? late.map((i) => rows[i]?.header.r) : await firstReplaced();
    const found = await findAll(views, replaced);
    for (const [n, i] of late.entries()) rows[i] = found[n];

    async function firstReplaced(): Promise<(EventId | undefined)[]> {
      const wanted = late.map((i) => stateKeyOf(...keys[i]!));
      const first = await readFirstChanges(views, roomId, place, new Set(wanted));
      return wanted.map((key) => first.get(key));
    }
  }
}

async function findAll(views: Views, ids: readonly (EventId | undefined)[]): Promise<(TimelineRow | undefined)[]> {
  const known = ids.filter((id) => id !== undefined);
  const found = await findRowsById(views, known);
  let next = 0;
  return ids.map((id) => (id === undefined ? undefined : found[next++]?.row));
}

/** What the first change of each key after a place replaced. */
async function readFirstChanges(
  views: Views,
  roomId: RoomId,
  place: Place,
  wanted: ReadonlySet<string>,
): Promise<Map<string, EventId | undefined>> {
  const first = new Map<string, EventId | undefined>();
  const since = { prefix: [roomId], ...boundAfter([roomId], place) };
  for await (const page of scanPages(views, 'state-log', since)) {
    for (const { value } of page) {
      for (const change of JSON.parse(value) as StateChange[]) {
        const key = stateKeyOf(change.type, change.state_key);
        if (wanted.has(key) && !first.has(key)) first.set(key, change.replaces);
      }
    }
    if (first.size === wanted.size) break;
  }
  return first;
}
