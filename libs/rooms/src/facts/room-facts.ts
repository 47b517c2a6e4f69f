import type { FactShapes } from '#event-store/fact-shapes';
import type { EventId, RoomId, ServerName, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { OrderedRedaction } from './ordered-redaction.js';

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

/**
 * One change of a state dictionary: `event_id` holds the key from now on, null nothing does (room versions in which state may
 * be deleted). `replaces` is the event that held the key in the state that is changed, if any did.
 */
export interface StateChange {
  readonly type: string;
  readonly state_key: string;
  readonly event_id: EventId | null;
  readonly replaces?: EventId;
}

/** A change of state and the root hash of the state trie after it. */
export interface ChangedState {
  readonly state: readonly StateChange[];
  readonly root: string;
}

/** A state that another server told: the one before this event. */
export interface LearntState {
  readonly learnt: EventId;
}

/** The state that `state` is a change of: the state after an event, or one that was learnt. */
export type StateBase = EventId | LearntState;

/**
 * An event whose state is known, whatever became of it: `state` leads from the base's state to the state after the event, whose
 * root is `root`. Of a rejected or soft-failed event too: others may stand on it. What was rejected changes nothing itself.
 */
export interface PduWithState extends ChangedState {
  readonly event_id: EventId;
  readonly room_version: string;
  /** Left out: the first of `prev_events`, or no state at all where there is none. */
  readonly base?: StateBase;
  /**
   * The event that held this one's own key in the state before it, null where none did. Only where that is not what held it in
   * the base's state: at a merge. Readers ask `heldBefore`.
   */
  readonly held_before?: EventId | null;
  /** The history visibility in force at this event: that of the state before it. */
  readonly visibility: HistoryVisibility;
  /** The server that it came from; left out: this one made it. */
  readonly origin?: ServerName;
  /** It was fetched from the past: it stands in pages, and never in /sync. */
  readonly history?: true;
  /** So many facts right before this one (`change-told`) hold what one alone has no room for. Readers get it whole, without this. */
  readonly parts?: number;
  /** The PDU comes last, exactly as signed, so that its bytes can be cut out of the fact's text (see `pduTextOf`). */
  readonly pdu: JsonObject;
}

/** `pdu-accepted`: the PDU passed all checks and is part of the room. It carries all that a projection needs. */
export interface PduAccepted extends PduWithState {
  /** The forward extremities after it; of a history event too, which may fill a gap. Only where they are few (`tellExtremities`). */
  readonly extremities?: readonly EventId[];
  /** Where they are many: which of those before it are none any more. It is one itself, unless it is a history event. */
  readonly ended?: readonly EventId[];
  /**
   * The room's resolved current state after it, and what it changed in the one before: only where these are not `state` and
   * `root`, see `currentChangeOf`.
   */
  readonly current?: ChangedState;
  /**
   * The PDUs, as text, of those events in the change of the current state that earlier facts brought, by event id. They come last
   * but for the fact's own, so that a redaction can take away of each what it takes away (see `erasablePlaceIn`).
   */
  readonly state_pdus?: Readonly<Record<EventId, string>>;
  /** The revisions of the parts that hold those PDUs. Nowhere in the log: only in what readers get of a fact that was told in parts. */
  readonly told_in?: Readonly<Record<EventId, number>>;
  /** The device and transaction id it was sent with, by a local user. */
  readonly txn?: { readonly device_id: string; readonly txn_id: string };
  /** It is a redaction of an event that is here and that it may redact: `pdu-redacted` follows in the same write. */
  readonly takes_effect?: true;
  /** A redaction that was here before takes effect on it: `pdu-redacted` follows in the same write. Of several the first. */
  readonly redacted_by?: EventId;
  /** It hides another event or shows it again (`visibilityChangeOf`), and its sender had the power to, by the state before it. */
  readonly moderates?: true;
  /** Its server gave it to this one, by a handshake (to join, leave or knock): this one sends it to the other servers in the room. */
  readonly handed_on?: true;
  /**
   * It brought anew a room that this server had left (`bringsAnew`): it is the only extremity, and the current state is that after it,
   * whatever the room had ended with here.
   */
  readonly anew?: true;
}

/** `pdu-soft-failed`: it was allowed where it stands, but is not by the room's state of now. Others may stand on it; nobody is shown it. */
export interface PduSoftFailed extends PduWithState {
  /** Why, in words; facts of before do not say it. */
  readonly reason?: string;
  /** A policy does not want it, whatever becomes of the room. */
  readonly unwanted?: true;
}

/** `pdu-rejected`: the rules do not allow it where it stands. Others may stand on it; it is in no state. */
export interface PduRejected extends PduWithState {
  /** Why, in words. */
  readonly reason: string;
  /** Which check: one refused by its own auth events takes no part in state resolution, one by the state before it does. */
  readonly check: 'auth-events' | 'state';
}

/**
 * `outlier-stored`: a PDU whose place in the graph is not known: part of an auth chain, or of a state that was learnt. A create event
 * other than the one before it begins the room anew: what was told until then belongs to a room that never was here.
 */
export interface OutlierStored {
  readonly event_id: EventId;
  readonly room_version: string;
  readonly origin: ServerName;
  /** Why it is rejected; left out where its own auth events allow it. */
  readonly reason?: string;
  readonly pdu: JsonObject;
}

/**
 * What an accepted event changed in the room's resolved current state; undefined for one of the past, which changed nothing. Throws as
 * `requireWhole`.
 */
export function currentChangeOf(
  header: Pick<PduAccepted, 'state' | 'root' | 'current' | 'history' | 'parts'>,
): ChangedState | undefined {
  requireWhole(header);
  if (header.history === true) return undefined;
  return header.current ?? header;
}

/** Throws an Error where what was told in parts is read without them. */
export function requireWhole({ parts }: Pick<PduWithState, 'parts'>): void {
  if (parts !== undefined) throw new Error(`${parts} parts of what the fact tells are not there`);
}

/**
 * Whether the room forked at an accepted event that is news: the state after it is not what became of the room's. So what anybody
 * was at the event is not what they were when it came.
 */
export function isAside({ root, current, history }: Pick<PduAccepted, 'root' | 'current' | 'history'>): boolean {
  return history !== true && current !== undefined && current.root !== root;
}

/**
 * The event that held a state event's own key in the state before it: what its `prev_content` is of. undefined where none did,
 * and of other events. Not for what was rejected, which takes no place.
 */
export function heldBefore({
  event_id: eventId,
  state,
  held_before: told,
  pdu,
}: Pick<PduWithState, 'event_id' | 'state' | 'held_before' | 'pdu'>): EventId | undefined {
  const { type, state_key: stateKey } = pdu;
  if (stateKey === undefined) return undefined;
  if (told !== undefined) return told ?? undefined;
  // Its own change leaves the key to it or, where it deletes, to nothing.
  return state.find((change) => change.event_id === eventId || (change.type === type && change.state_key === stateKey))
    ?.replaces;
}

/**
 * `pdu-redacted`: a redaction took effect on an event of this room (both are here and the redaction was allowed). `pdu` is
 * what remains of it. From here on every view shows only that. Of several redactions each has such a fact; the first counts.
 */
export interface PduRedacted {
  readonly event_id: EventId;
  /** The redaction. Where it is for this server alone, a name that no event has. */
  readonly redacted_by: EventId;
  readonly ordered?: OrderedRedaction;
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

/** How old shapes of these facts become today's. */
export const ROOM_SHAPES = {
  'change-told': [],
  'pdu-accepted': [],
  'pdu-soft-failed': [],
  'soft-failure-lifted': [],
  'pdu-rejected': [],
  'outlier-stored': [],
  'state-learnt': [],
  'join-begun': [],
  'state-taken': [],
  'join-completed': [],
  'join-filled': [],
  'join-given-up': [],
  'pdu-redacted': [],
  'room-listed': [],
  'room-upgraded': [],
  'room-purged': [],
  'room-forgotten': [],
} as const satisfies FactShapes;
