import type { NewFact } from '#event-store/event-store';
import type { FactShapes } from '#event-store/fact-shapes';
import type { EventId, RoomId, ServerName } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';

/**
 * Events of other servers that were taken and whose place in their room is not known yet, for they miss others. It is the queue of all
 * rooms: those that wait are few, and a server that starts reads them at once. What has found its place goes from the log.
 */
export const INBOUND_STREAM = 'inbound';

/** `pdu-queued`: an event waits for what it misses. The server that sent it was told that it is taken. */
export interface PduQueued {
  readonly room_id: RoomId;
  readonly event_id: EventId;
  readonly origin: ServerName;
  /** The transaction that it came in; facts of before do not say it. */
  readonly txn_id?: string;
  /** The events that it names as its parents; facts of before do not say it, nor those of what is of another server's user. */
  readonly parents?: readonly EventId[];
  /** How many events of its server that it stands on gave way to it: they are fetched with it. */
  readonly stands_for?: number;
  /** As it was sent. */
  readonly pdu: JsonObject;
}

/**
 * `pdu-settled`: an event waits no more, for it is in its room. Or it was given up: `reason` says why. Or it gave way, where so many of its
 * server waited, to another one that stands on it: that has it fetched.
 */
export interface PduSettled {
  readonly room_id: RoomId;
  readonly event_id: EventId;
  readonly reason?: string;
  readonly gave_way?: true;
}

/** An event that waits. */
export interface WaitingPdu {
  readonly roomId: RoomId;
  readonly eventId: EventId;
  readonly origin: ServerName;
  /** The transaction that it came in, where that is known. */
  readonly transaction?: string;
  /** The events that it names as its parents, where that is known. */
  readonly parents?: readonly EventId[];
  /** How many others of its server gave way to it, which it stands on; none where it is left out. */
  readonly standsFor?: number;
  /** Its JSON as it was sent. */
  readonly text: string;
  /** When it came, in milliseconds since the epoch. */
  readonly at: number;
}

export type NewWaitingPdu = Omit<WaitingPdu, 'at'>;

/** All that wait, oldest first, by `waitingKey`. */
export type Waiting = ReadonlyMap<string, WaitingPdu>;

export const NOBODY_WAITS: Waiting = new Map();

/** What tells an event that waits from others. In rooms of versions 1 and 2 servers choose their event ids. */
export function waitingKey({ roomId, eventId }: Pick<WaitingPdu, 'roomId' | 'eventId'>): string {
  return `${roomId} ${eventId}`;
}

const PDU = ',"pdu":';

/** The data of `pdu-queued`, the text of the PDU being as it was. */
export function queuedData({ roomId, eventId, text, ...more }: NewWaitingPdu): string {
  const { origin, transaction, parents, standsFor } = more;
  const event = { room_id: roomId, event_id: eventId };
  const told: Omit<PduQueued, 'pdu'> = { ...event, origin, txn_id: transaction, parents, stands_for: standsFor };
  const header = JSON.stringify(told);
  return `${header.slice(0, -1)}${PDU}${text}}`;
}

/** Pure: what waits after one fact more. */
export function evolveWaiting(waiting: Waiting, fact: NewFact): Waiting {
  const next = new Map(waiting);
  if (fact.type === 'pdu-settled') {
    const { room_id: roomId, event_id: eventId } = JSON.parse(fact.data) as PduSettled; // what this library appended under this type
    next.delete(waitingKey({ roomId, eventId }));
    return next;
  }
  const { data, metadata } = fact;
  const { room_id: roomId, event_id: eventId, origin, ...more } = headerOf(fact);
  const { txn_id: transaction, parents, stands_for: standsFor } = more;
  const key = waitingKey({ roomId, eventId });
  const text = data.slice(data.indexOf(PDU) + PDU.length, -1);
  const told = {
    ...(transaction === undefined ? {} : { transaction }),
    ...(parents === undefined ? {} : { parents }),
    ...(standsFor === undefined ? {} : { standsFor }),
  };
  if (!next.has(key)) next.set(key, { roomId, eventId, origin, ...told, text, at: metadata.at });
  return next;
}

/** What a `pdu-queued` tells of, by `waitingKey`. */
export function keyOfQueued(fact: NewFact): string {
  const { room_id: roomId, event_id: eventId } = headerOf(fact);
  return waitingKey({ roomId, eventId });
}

/** PERF: the PDU is not parsed, and keeps the spelling of its numbers. In JSON text no value before it can hold these characters. */
function headerOf({ data }: NewFact): Omit<PduQueued, 'pdu'> {
  return JSON.parse(`${data.slice(0, data.indexOf(PDU))}}`) as Omit<PduQueued, 'pdu'>; // what this library appended under this type
}

/** How old shapes of these facts become today's. */
export const INBOUND_SHAPES = {
  'pdu-queued': [],
  'pdu-settled': [],
} as const satisfies FactShapes;
