import type { EventId, RoomId } from '#kernel/ids';
import { parseShortPosition, type Position, shortPosition } from '#kernel/position';
import { shortHash } from '#kernel/short-hash';
import { asJson, asMark, asText, Collection } from '#projections/collection';
import {
  type DepthKey,
  type EventKeyPart,
  type EventPlace,
  formatEventPlace,
  HISTORY_MARK,
  parseEventPlace,
} from './event-place.js';

export type TimelineKey = readonly [roomId: RoomId, position: Position];

/** The key of the row of an event; where the fact carries it besides its own, which of those it is stands last. */
export type RowKey = TimelineKey | readonly [roomId: RoomId, position: Position, carriedAs: string];

/** PERF: rows stay texts (timeline-row.ts), for mostly no more than their headers is looked at. */
export const TIMELINE = new Collection<TimelineKey, string>('timeline', {
  key: ['room', 'position'],
  says: 'an event that was news, in the order of arrival',
  codec: asText(),
});

/** As TIMELINE, with those that were fetched from the past, which are news to nobody, and those known as a part of a state alone. */
export const HISTORY = new Collection<RowKey, string>('history', {
  key: ['room', 'position'],
  says: 'an event that was no news: fetched from the past, or of a state',
  codec: asText(),
});

/** The collection that holds the row of an event. */
export function collectionOf({ isHistory }: Pick<EventPlace, 'isHistory'>): Collection<RowKey, string> {
  return isHistory ? HISTORY : TIMELINE;
}

/** The key of the row of an event in its collection. */
export function rowKeyOf(roomId: RoomId, { position, carriedAs }: Pick<EventPlace, 'position' | 'carriedAs'>): RowKey {
  return carriedAs === undefined ? [roomId, position] : [roomId, position, String(carriedAs)];
}

/** A place in the order of the graph. */
export type TopologyKey = readonly [roomId: RoomId, depth: DepthKey, position: Position];

/** Whether the event at a place of the graph is of the past. */
export const TOPOLOGY = new Collection<TopologyKey, boolean>('topology', {
  key: ['room', 'depth', 'position'],
  says: 'the order of the graph; whether it is history',
  codec: { encode: (isHistory) => (isHistory ? HISTORY_MARK : ''), decode: (text) => text === HISTORY_MARK },
});

/**
 * What may be missing before an event: its parents, where others told the state before it, else what is behind refused events that it stands on.
 * Mostly all are missing; readers look again.
 */
export const GAPS = new Collection<TopologyKey, readonly EventId[]>('gaps', {
  key: ['room', 'depth', 'position'],
  says: 'what may be missing before an event',
  codec: asJson(),
});

/**
 * As GAPS, of each event that was soft-failed or rejected, also where nothing is missing: no page has it, and it has no place in the order of
 * the graph. A gap that names it as missing leads to this.
 */
export const BEHIND_REFUSED = new Collection<readonly [roomId: RoomId, event: EventKeyPart], readonly EventId[]>(
  'behind-refused',
  {
    key: ['room', 'hash of the event'],
    says: 'what may be missing behind a soft-failed or rejected event',
    codec: asJson(),
  },
);

/** That an event came after deeper ones. */
export interface OvertakenRow {
  readonly depth: number;
  /** Of the deepest that came before: a page that goes back from just before the event must begin there. */
  readonly deepest: number;
}

export const OVERTAKEN = new Collection<TimelineKey, OvertakenRow>('overtaken', {
  key: ['room', 'position'],
  says: 'the depth of an event that came after deeper ones, and of the deepest',
  codec: asJson(),
});

export const EVENTS = new Collection<readonly [event: EventKeyPart, roomId: RoomId], EventPlace>('events', {
  key: ['hash of the event', 'room'],
  says: 'position, depth, revision; whether it is history',
  codec: { encode: formatEventPlace, decode: parseEventPlace },
});

/** Resolution may make a state event current that was redacted while it was soft-failed: then it is shown for the first time. */
export const REDACTED_UNSEEN = new Collection<readonly [roomId: RoomId, event: EventKeyPart], EventId>(
  'redacted-unseen',
  {
    key: ['room', 'hash of the event'],
    says: 'the redaction that took effect on a state event that nobody was shown',
    codec: asText(),
  },
);

/** What somebody who may do so said of the visibility of an event. */
export interface VisibilityRow {
  readonly visible: boolean;
  /** origin_server_ts: of several the latest counts. */
  readonly at: number;
}

/** Also of an event that is not here yet. */
export const VISIBILITY_CHANGES = new Collection<
  readonly [roomId: RoomId, target: EventKeyPart, change: EventId],
  VisibilityRow
>('visibility-changes', {
  key: ['room', 'hash of the event', 'event that hides or shows it'],
  says: 'whether it is to be visible, and when that was said',
  codec: asJson(),
});

/** What is hidden is so with its edits. */
export const EDITS = new Collection<readonly [roomId: RoomId, edited: EventKeyPart, edit: EventId], true>('edits', {
  key: ['room', 'hash of the event', 'event'],
  says: 'empty: an event that says to replace it',
  codec: asMark,
});

/** What a client sent, as far as two requests are the same: client-server API, "Transaction identifiers". */
export interface SentTransaction {
  readonly userId: string;
  readonly deviceId: string;
  readonly roomId: RoomId;
  readonly type: string;
  readonly txnId: string;
  /** The path of a redaction names its target too. */
  readonly redacts?: string;
}

type TransactionKey = readonly [hash: string];

/** The key of a transaction: all that tells one apart, hashed to a fixed length. */
export function transactionKey(sent: SentTransaction): TransactionKey {
  const { userId, deviceId, roomId, type, txnId, redacts } = sent;
  return [shortHash(JSON.stringify([userId, deviceId, roomId, type, redacts, txnId]))];
}

/** Where the event is that was sent with a transaction. */
export const TRANSACTIONS = new Collection<TransactionKey, Position>('transactions', {
  key: ['hash of user, device, room, type and transaction'],
  says: 'position',
  codec: { encode: shortPosition, decode: positionOf },
});

function positionOf(digits: string): Position {
  const position = parseShortPosition(digits);
  if (position === undefined) throw new Error(`not a position: ${digits}`);
  return position;
}
