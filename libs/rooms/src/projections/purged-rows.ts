import type { RecordedFact } from '#event-store/event-store';
import type { EventId, RoomId, UserId } from '#kernel/ids';
import { type Collection, type Declared, type Entry } from '#projections/collection';
import type { OwnRows } from '#projections/projector';
import { scanPages } from '#projections/scan-pages';
import type { Key } from '#read-models/read-model-store';
import { roomIdOfStream } from '../facts/room-facts.js';
import type { RoomPurged } from '../facts/room-purged.js';

/** So many rows of each collection go by each fact of a purge but the last, with which go all that are left. */
export const ROWS_A_STEP = 1_000;

/** What a fact of a purge takes away, as projectors ask for it. */
export interface Purge {
  readonly roomId: RoomId;
  /** So many rows of a collection at most. */
  readonly most: number;
  /** It is the last one. */
  readonly isLast: boolean;
  readonly events: readonly EventId[];
  readonly users: readonly UserId[];
}

/** Reads `room-purged`. */
export function purgeOf({ stream, data }: Pick<RecordedFact, 'stream' | 'data'>): Purge {
  const { more = false, events = [], users = [] } = JSON.parse(data) as RoomPurged;
  return { roomId: roomIdOfStream(stream), most: more ? ROWS_A_STEP : Infinity, isLast: !more, events, users };
}

/** Takes the rows away whose keys begin so, as many as a step may take of each collection. */
export async function takeAway(
  rows: OwnRows,
  { most }: Pick<Purge, 'most'>,
  collections: readonly Pick<Declared, 'name'>[],
  prefix: Key,
): Promise<void> {
  for (const { name } of collections) {
    for await (const page of scanPages(rows, name, { prefix }, pageOf(most))) {
      for (const { key } of page) rows.delete(name, key);
      if (most !== Infinity) break;
    }
  }
}

/** Takes away by a fact of a purge what stands by the room in some collections. */
export function purgeByRoom(
  fact: RecordedFact,
  rows: OwnRows,
  collections: readonly Pick<Declared, 'name'>[],
): Promise<void> {
  const purge = purgeOf(fact);
  return takeAway(rows, purge, collections, [purge.roomId]);
}

/** Takes away by a fact of a purge what stands by its users, and then by the room, in some collections. */
export async function purgeByUsers(
  fact: RecordedFact,
  rows: OwnRows,
  collections: readonly Pick<Declared, 'name'>[],
): Promise<void> {
  const { roomId, users } = purgeOf(fact);
  for (const userId of users) await takeAway(rows, { most: Infinity }, collections, [userId, roomId]);
}

/** As `takeAway`, of one collection, and calls `also` with each row that goes. */
export async function takeAwayWith<K extends Key, V>(
  rows: OwnRows,
  { most }: Pick<Purge, 'most'>,
  collection: Collection<K, V>,
  range: Parameters<Collection<K, V>['pages']>[1],
  also: (entry: Entry<K, V>) => void,
): Promise<void> {
  for await (const page of collection.pages(rows, range, pageOf(most))) {
    for (const entry of page) {
      also(entry);
      collection.delete(rows, entry.key);
    }
    if (most !== Infinity) break;
  }
}

function pageOf(most: number): number | undefined {
  return most === Infinity ? undefined : most;
}
