import type { Filter, RoomEventFilter } from '#accounts/filters/filter';
import { compileMatcher, type EventMatcher, roomTest } from '#accounts/filters/event-matcher';

/** A filter of /sync, prepared. */
export interface SyncFilter {
  includesRoom(roomId: string): boolean;
  /** Rooms that were left long ago are in an initial sync too. */
  readonly includeLeave: boolean;
  readonly timeline: EventMatcher;
  readonly timelineLimit: number;
  readonly state: EventMatcher;
  readonly lazyLoadMembers: boolean;
  readonly includeRedundantMembers: boolean;
  readonly ephemeral: EventMatcher;
  readonly roomAccountData: EventMatcher;
  readonly accountData: EventMatcher;
  readonly presence: EventMatcher;
  /** The unread counts are told for each thread. */
  readonly unreadThreads: boolean;
  /** Events are wanted as their servers signed them. */
  readonly signedEvents: boolean;
  /** The parts of events to answer, as paths; undefined for whole events. */
  readonly eventFields: readonly string[] | undefined;
}

const DEFAULT_LIMIT = 10;
/** The most events of a room's timeline in one answer, whatever was asked for. */
const MAX_LIMIT = 1_000;

/** Prepares a filter. */
export function compileSyncFilter({ room = {}, ...filter }: Filter): SyncFilter {
  const timeline: RoomEventFilter = room.timeline ?? {};
  return Object.freeze({
    includesRoom: roomTest(room.rooms, room.not_rooms),
    includeLeave: room.include_leave === true,
    timeline: compileMatcher(timeline),
    timelineLimit: Math.min(timeline.limit ?? DEFAULT_LIMIT, MAX_LIMIT),
    state: compileMatcher(room.state),
    lazyLoadMembers: room.state?.lazy_load_members === true,
    includeRedundantMembers: room.state?.include_redundant_members === true,
    ephemeral: compileMatcher(room.ephemeral),
    roomAccountData: compileMatcher(room.account_data),
    accountData: compileMatcher(filter.account_data),
    presence: compileMatcher(filter.presence),
    unreadThreads: timeline.unread_thread_notifications === true,
    signedEvents: filter.event_format === 'federation',
    eventFields: filter.event_fields,
  });
}
