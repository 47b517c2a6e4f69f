import type { EventStore, RecordedFact } from '#event-store/event-store';
import type { EventId, RoomId, ServerName } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { referencedIds } from '../facts/pdu-fields.js';
import { ROOM_STREAM_PREFIX, roomIdOfStream, roomStream } from '../facts/room-facts.js';

/** What a fact says became of an event. `state`: it is of a state that a join brought. */
export type ToldOutcome = 'accepted' | 'soft-failed' | 'rejected' | 'outlier' | 'state';

const OUTCOMES: Readonly<Record<string, ToldOutcome>> = {
  'pdu-accepted': 'accepted',
  'pdu-soft-failed': 'soft-failed',
  'pdu-rejected': 'rejected',
  'outlier-stored': 'outlier',
  'state-taken': 'state',
};

/** An event by one of the facts that carry it. */
export interface EventFact {
  readonly eventId: EventId;
  readonly outcome: ToldOutcome;
  readonly revision: number;
  /** When it was written, in milliseconds since the epoch. */
  readonly at: number;
  /** The server that sent it; undefined: this one made it. */
  readonly origin?: ServerName;
  /** The transaction in which that sent it, where it came in one. */
  readonly transaction?: string;
  /** Of one that was rejected: which check. */
  readonly check?: 'auth-events' | 'state';
  /** Why it was refused, an outlier too; undefined where it was not, and where a redaction took it away. */
  readonly reason?: string;
  /** Of an outlier: its own auth events do not allow it. */
  readonly isRejected: boolean;
  readonly isOfThePast: boolean;
  readonly pdu: JsonObject;
}

/** All that the log says of an event of a room, and of those that it names. */
export interface ExplainedEvent {
  readonly roomId: RoomId;
  /** Oldest first; what counts is the last. */
  readonly facts: readonly EventFact[];
  readonly isRedacted: boolean;
  readonly authEvents: readonly NamedEvent[];
  readonly parents: readonly NamedEvent[];
}

/** An event that another one names, by the last fact of it; without one it is not here. */
export interface NamedEvent {
  readonly eventId: EventId;
  readonly fact?: EventFact;
}

/** The data of a fact, as far as it matters here. */
interface Body {
  readonly origin?: ServerName;
  readonly check?: EventFact['check'];
  readonly reason?: string;
  readonly history?: true;
  readonly pdu: JsonObject;
}

/** Explains an event by the facts of its room alone; undefined where the room has none of it. Reads the room once or twice. */
export async function explainEvent(
  store: EventStore,
  roomId: RoomId,
  eventId: EventId,
): Promise<ExplainedEvent | undefined> {
  const { facts, redacted } = await findFacts(store, roomId, new Set([eventId]));
  const own = facts.get(eventId);
  if (own === undefined) return undefined;
  const { pdu } = own.at(-1)!;
  const [auth, parents] = [referencedIds(pdu['auth_events']), referencedIds(pdu['prev_events'])];
  const { facts: named } = await findFacts(store, roomId, new Set([...auth, ...parents]));
  const find = (id: EventId): NamedEvent => {
    const fact = named.get(id)?.at(-1);
    return fact === undefined ? { eventId: id } : { eventId: id, fact };
  };
  const isRedacted = redacted.has(eventId);
  // What is said of why may quote what was taken away.
  const told = isRedacted ? own.map((fact) => ({ ...fact, reason: undefined })) : own;
  return { roomId, facts: told, isRedacted, authEvents: auth.map(find), parents: parents.map(find) };
}

/** Why events of a room were refused, as far as it says; of none that was redacted since. Reads it from its end until all are found. */
export async function findReasons(
  store: EventStore,
  roomId: RoomId,
  eventIds: Iterable<EventId>,
): Promise<ReadonlyMap<EventId, string>> {
  const left = new Set(eventIds);
  const reasons = new Map<EventId, string>();
  const redacted = new Set<EventId>();
  for await (const fact of store.readStream(roomStream(roomId), { backwards: true })) {
    const eventId = idIn(fact);
    if (eventId === undefined || !left.has(eventId)) continue;
    if (fact.type === 'pdu-redacted') redacted.add(eventId);
    const outcome = OUTCOMES[fact.type];
    if (outcome === undefined) continue;
    const { reason } = readFact(fact, eventId, outcome);
    if (reason !== undefined && !redacted.has(eventId)) reasons.set(eventId, reason);
    left.delete(eventId);
    if (left.size === 0) break;
  }
  return reasons;
}

/** The rooms that have something of an event. Reads the whole log. */
export async function findRoomsOf(store: EventStore, eventId: EventId): Promise<RoomId[]> {
  const rooms: RoomId[] = [];
  for await (const stream of store.streams({ prefix: ROOM_STREAM_PREFIX })) {
    for await (const fact of store.readStream(stream, { inParts: true })) {
      if (outcomeIn(fact, eventId) === undefined) continue;
      rooms.push(roomIdOfStream(stream));
      break;
    }
  }
  return rooms;
}

async function findFacts(
  store: EventStore,
  roomId: RoomId,
  wanted: ReadonlySet<EventId>,
): Promise<{ readonly facts: ReadonlyMap<EventId, EventFact[]>; readonly redacted: ReadonlySet<EventId> }> {
  const facts = new Map<EventId, EventFact[]>();
  const redacted = new Set<EventId>();
  for await (const fact of store.readStream(roomStream(roomId))) {
    const eventId = idIn(fact);
    if (eventId === undefined || !wanted.has(eventId)) continue;
    if (fact.type === 'pdu-redacted') redacted.add(eventId);
    const outcome = OUTCOMES[fact.type];
    if (outcome !== undefined) facts.set(eventId, [...(facts.get(eventId) ?? []), readFact(fact, eventId, outcome)]);
  }
  return { facts, redacted };
}

function readFact({ data, revision, metadata }: RecordedFact, eventId: EventId, outcome: ToldOutcome): EventFact {
  const { origin, check, reason, history, pdu } = JSON.parse(data) as Body;
  const { at, causation } = metadata;
  return {
    eventId,
    outcome,
    revision,
    at,
    origin,
    ...(causation === undefined || origin === undefined ? {} : { transaction: causation }),
    check,
    reason,
    isRejected: outcome === 'outlier' && reason !== undefined,
    isOfThePast: history === true,
    pdu,
  };
}

function outcomeIn(fact: RecordedFact, eventId: EventId): ToldOutcome | undefined {
  return idIn(fact) === eventId ? OUTCOMES[fact.type] : undefined;
}

/** What comes first in all facts about an event, but for the count of its parts. PERF: nothing is parsed. */
const ID = /^\{(?:"parts":\d+,)?"event_id":"((?:[^"\\]|\\.)*)"/;

function idIn({ data }: RecordedFact): EventId | undefined {
  const [, text] = ID.exec(data) ?? [];
  return text === undefined ? undefined : (JSON.parse(`"${text}"`) as EventId);
}
