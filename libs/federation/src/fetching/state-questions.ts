import { type EventId, isEventId, type RoomId } from '#kernel/ids';
import type { JsonValue } from '#kernel/json';
import { inTurns } from '#projections/turn';
import { Slices, splitObject } from '../receive/split-object.js';
import { pathOf } from '../peers/path-of.js';
import type { LargeQuestion, Question } from './ask-servers.js';

/** The events of a state, and of its auth chain, by their ids. */
export interface StateIds {
  readonly state: readonly EventId[];
  readonly authChain: readonly EventId[];
}

/** A room of 80,000 members has as many; and an auth chain that is longer. */
const MOST_IDS = 500_000;
const IDS_BYTES = 48 * 1024 * 1024;
/** Of the events themselves, which are looked at one after another. */
const EVENTS_BYTES = 512 * 1024 * 1024;
const TIMEOUT_MS = 5 * 60_000;

/** Asks for the state before an event. */
export function idsAsked(roomId: RoomId, eventId: EventId): Question<StateIds> {
  return {
    name: 'state_ids',
    eventId,
    request: {
      method: 'GET',
      path: pathOf('/_matrix/federation/v1/state_ids/:roomId', { roomId }, { event_id: eventId }),
      maxBytes: IDS_BYTES,
      maxValues: 2 * MOST_IDS + 100,
      timeoutMs: TIMEOUT_MS,
    },
    read: ({ pdu_ids: stateIds, auth_chain_ids: authIds }) => {
      const [state, authChain] = [idsOf(stateIds), idsOf(authIds)];
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

function idsOf(value: JsonValue | undefined): readonly EventId[] | undefined {
  if (!Array.isArray(value) || value.length > MOST_IDS) return undefined;
  return value.filter((id): id is EventId => typeof id === 'string' && isEventId(id));
}
