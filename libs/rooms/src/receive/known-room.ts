import type { EventId, RoomId, ServerName } from '#kernel/ids';
import type { RoomEvent } from '#protocol/room-event';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import type { Rejection } from '#protocol/state-resolution/events-by-id';
import type { StateTrie } from '#protocol/state-trie/state-trie';
import type { HistoryVisibility, PduRejected, PduWithState } from '../facts/room-facts.js';

/** What became of an event. Of an outlier the state is not known; of all others it is. */
export type EventOutcome = 'accepted' | 'soft-failed' | 'rejected' | 'outlier';

/** An event of the room that this server has. */
export interface KnownEvent {
  /** As it stands: what a redaction took out is gone. */
  readonly event: RoomEvent;
  readonly outcome: EventOutcome;
  /** Which check refused it: of events rejected, and of outliers that their own auth events do not allow. */
  readonly rejection?: Rejection;
  /** A redaction took effect on it. */
  readonly isRedacted?: boolean;
  /** Its place is known, and its parents that are here may be extremities all the same (`endsNothing`). */
  readonly endedNothing?: boolean;
}

/** An event whose place is not known. `isRejected`: its own auth events do not allow it. */
export function knownOutlier(event: RoomEvent, isRejected: boolean): KnownEvent {
  return { event, outcome: 'outlier', ...(isRejected ? { rejection: 'auth-events' as const } : {}) };
}

/** An event whose place is known, by what became of it and the header of the fact that says so. */
export function knownPlaced(
  event: RoomEvent,
  outcome: Exclude<EventOutcome, 'outlier'>,
  { history, base, check }: Pick<PduWithState, 'history' | 'base'> & Partial<Pick<PduRejected, 'check'>>,
): KnownEvent {
  const gap = { isOfThePast: history === true, isAfterGap: typeof base === 'object' };
  return {
    event,
    outcome,
    ...(check === undefined ? {} : { rejection: check }),
    ...(endsNothing(outcome, gap) ? { endedNothing: true } : {}),
  };
}

/**
 * Whether an event ended nothing, so that its parents may be extremities still: one that was refused (soft-failed or rejected), one of
 * the past, and one that stands after a gap, for its parents came later, if at all.
 */
export function endsNothing(
  outcome: EventOutcome,
  { isOfThePast, isAfterGap }: { readonly isOfThePast: boolean; readonly isAfterGap: boolean },
): boolean {
  return outcome !== 'outlier' && (outcome !== 'accepted' || isOfThePast || isAfterGap);
}

/** A forward extremity of the room. */
export interface KnownExtremity {
  readonly eventId: EventId;
  /** The root of the state after it. */
  readonly root: string;
}

/**
 * What judging an event must know of its room, and the only thing it asks. Nothing in it waits for the network. It stands
 * still while an event is judged: whoever judges holds the room.
 */
export interface KnownRoom {
  readonly roomId: RoomId;
  readonly version: RoomVersion;
  /** This server; left out where the room was never here before, so that nobody asks. */
  readonly ours?: ServerName;
  /** undefined while the room's create event is not there yet: the first of a room that is being joined. */
  readonly createEvent: RoomEvent | undefined;
  /** The resolved current state. */
  readonly state: StateTrie;
  /** The state event by which the policy of the room is asked for what comes in; undefined where nobody is asked. */
  readonly policyId?: EventId | undefined;
  /** The history visibility in it. */
  readonly visibility: HistoryVisibility;
  readonly extremities: readonly KnownExtremity[];
  /** Those of some events of this room that are here; each id once. */
  find(eventIds: readonly EventId[]): Promise<ReadonlyMap<EventId, KnownEvent>>;
  /** The state after an event whose state is known. Throws an Error for others. */
  stateAfter(eventId: EventId): Promise<StateTrie>;
  /** The state before an event as another server told it, once all parts are there. */
  findLearntState(eventId: EventId): Promise<StateTrie | undefined>;
  /** Whether an event that is accepted names this one as its parent, while it was not here: it belongs to the past. */
  isHole(eventId: EventId): Promise<boolean>;
  /** The accepted redactions that name an event, oldest first: it may come after them. */
  findRedactionsOf(eventId: EventId): Promise<readonly RoomEvent[]>;
}

/** An event, or an Error where the room does not have what it must: its own rows do not agree. */
export function getKnown(known: ReadonlyMap<EventId, KnownEvent>, eventId: EventId): KnownEvent {
  const one = known.get(eventId);
  if (one === undefined) throw new Error(`the room's state names ${eventId}, which is not there`);
  return one;
}
