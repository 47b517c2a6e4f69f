import { type EventId, isEventId, type RoomId } from '#kernel/ids';
import { each } from '#kernel/steps';
import { inTurns } from '#projections/turn';
import { Slices, splitObject } from '../receive/split-object.js';
import { pathOf } from '../peers/path-of.js';
import type { LargeQuestion } from './ask-servers.js';

/** The events of a state, and of its auth chain, by their ids. */
export interface StateIds {
  readonly state: readonly EventId[];
  readonly authChain: readonly EventId[];
}

/** A room of 80,000 members has as many; and an auth chain that is longer. */
const MOST_IDS = 500_000;
const IDS_BYTES = 48 * 1024 * 1024;
/** An event id is no longer, however it is escaped. */
const LONGEST_ID = 2_000;
/** Of the events themselves, which are looked at one after another. */
const EVENTS_BYTES = 512 * 1024 * 1024;
const TIMEOUT_MS = 5 * 60_000;

/** Asks for the state before an event. */
export function idsAsked(roomId: RoomId, eventId: EventId): LargeQuestion<StateIds> {
  return {
    name: 'state_ids',
    eventId,
    request: {
      method: 'GET',
      path: pathOf('/_matrix/federation/v1/state_ids/:roomId', { roomId }, { event_id: eventId }),
      maxBytes: IDS_BYTES,
      timeoutMs: TIMEOUT_MS,
    },
    readBytes: async (bytes) => {
      const split = await inTurns(splitObject(bytes));
      const state = await idsOf(split.get('pdu_ids'));
      const authChain = await idsOf(split.get('auth_chain_ids'));
      return state === undefined || authChain === undefined ? undefined : { state, authChain };
    },
  };
}

/** Asks for lists of events, each by its bytes. */
export function eventsAsked(
  name: string,
  eventId: EventId,
  path: string,
  keys: readonly string[],
): LargeQuestion<Iterable<Uint8Array>> {
  return {
    name,
    eventId,
    request: { method: 'GET', path, maxBytes: EVENTS_BYTES, timeoutMs: TIMEOUT_MS },
    readBytes: async (bytes) => {
      const split = await inTurns(splitObject(bytes));
      const lists = keys.map((key) => split.get(key));
      return lists.every((list) => list instanceof Slices) ? eachOf(lists) : undefined;
    },
  };
}

function* eachOf(lists: readonly Iterable<Uint8Array>[]): Generator<Uint8Array> {
  let count = 0;
  for (const list of lists) {
    for (const one of list) if (count++ < MOST_IDS) yield one;
  }
}

/** The ids of a list. PERF: in turns, for of a large room they are hundreds of thousands. */
async function idsOf(list: Uint8Array | Slices | undefined): Promise<readonly EventId[] | undefined> {
  if (!(list instanceof Slices) || list.length > MOST_IDS) return undefined;
  const ids: EventId[] = [];
  const take = (bytes: Uint8Array): void => {
    const id = idIn(bytes);
    if (id !== undefined) ids.push(id);
  };
  await inTurns(each(list, take));
  return ids;
}

/** The event id that some JSON is; undefined for anything else. */
function idIn(bytes: Uint8Array): EventId | undefined {
  if (bytes.length > LONGEST_ID) return undefined;
  try {
    const id: unknown = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString());
    return typeof id === 'string' && isEventId(id) ? id : undefined;
  } catch {
    return undefined;
  }
}
