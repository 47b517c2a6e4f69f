import type { EventId, RoomId, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';

/** The stream of a room. One room is one stream. */
export const ROOM_STREAM_PREFIX = 'room-';
export const roomStream = (roomId: RoomId): string => `${ROOM_STREAM_PREFIX}${roomId}`;
export const roomIdOfStream = (stream: string): RoomId => stream.slice(ROOM_STREAM_PREFIX.length) as RoomId;

export type HistoryVisibility = 'invited' | 'joined' | 'shared' | 'world_readable';

const VISIBILITIES: ReadonlySet<unknown> = new Set(['invited', 'joined', 'shared', 'world_readable']);

/** What a content sets the history visibility to; `shared` where it says nothing known: client-server API, "Room History Visibility". */
export function historyVisibilityOf(content: JsonObject): HistoryVisibility {
  const value = content['history_visibility'];
  return VISIBILITIES.has(value) ? (value as HistoryVisibility) : 'shared';
}

/** One change of the state dictionary. `replaces` is the event that held the key before, if any did. */
export interface StateChange {
  readonly type: string;
  readonly state_key: string;
  readonly event_id: EventId;
  readonly replaces?: EventId;
}

/**
 * `pdu-accepted`: the PDU passed all checks and is part of the room's timeline. It carries all that a projection needs; the
 * PDU comes last, exactly as signed, so that its bytes can be cut out of the fact's text (see `pduTextOf`).
 */
export interface PduAccepted {
  readonly event_id: EventId;
  readonly room_version: string;
  /** What it changed in the state after it: for a local state event one entry, its own. */
  readonly state: readonly StateChange[];
  /** The root hash of the state trie after it. */
  readonly root: string;
  /** The forward extremities after it. */
  readonly extremities: readonly EventId[];
  /** The history visibility in force at this event. */
  readonly visibility: HistoryVisibility;
  /** The device and transaction id it was sent with, by a local user. */
  readonly txn?: { readonly device_id: string; readonly txn_id: string };
  readonly pdu: JsonObject;
}

/**
 * `pdu-redacted`: a redaction took effect on an event of this room (both are here and the redaction was allowed). `pdu` is
 * what remains of it. From here on every view shows only that.
 */
export interface PduRedacted {
  readonly event_id: EventId;
  readonly redacted_by: EventId;
  readonly room_version: string;
  readonly pdu: JsonObject;
}

/** `room-listed`: whether the room is in this server's public directory. */
export interface RoomListed {
  readonly listed: boolean;
  readonly by: UserId;
}

/** `room-upgraded`: the tombstone before it is that of an upgrade by this server, from which more follows (`CompleteUpgrade`). */
export interface RoomUpgraded {
  readonly replacement_room: RoomId;
  readonly by: UserId;
}

/** In `user-{user_id}`: `room-forgotten`: the user wants to hear of this room no more (until joined or invited again). */
export interface RoomForgotten {
  readonly room_id: RoomId;
}

const PDU_MARK = ',"pdu":{';

/**
 * The text of the PDU within a fact's data, byte for byte as signed. Quotes inside JSON strings are escaped, so the mark
 * cannot occur in what precedes it.
 */
export function pduTextOf(factData: string): string {
  const start = factData.indexOf(PDU_MARK);
  if (start < 0) throw new Error('the fact carries no PDU');
  return factData.slice(start + PDU_MARK.length - 1, -1);
}

/** Writes a fact's data: the header's keys, then the PDU's own text. */
export function factWithPdu(header: Omit<PduAccepted, 'pdu'> | Omit<PduRedacted, 'pdu'>, pduText: string): string {
  return `${JSON.stringify(header).slice(0, -1)},"pdu":${pduText}}`;
}
