import type { EventId, RoomId } from '#kernel/ids';

/** An event as another server names it. */
export interface TimedEvent {
  readonly eventId: EventId;
  /** origin_server_ts in milliseconds. */
  readonly sentAt: number;
}

/** What rooms need of who can ask other servers for events by their time; `libs/federation` implements it. */
export interface TimesElsewhere {
  /**
   * The event of a room closest to a time, not before it (`f`) or not after it (`b`), as the first of some servers says that knows any;
   * undefined where none does. Never throws for a fault of another server, and takes some seconds at most.
   */
  findByTime(roomId: RoomId, time: number, direction: 'b' | 'f'): Promise<TimedEvent | undefined>;
}

/** Injection token of the TimesElsewhere; where there are none, what is here is all there is. */
export const TIMES_ELSEWHERE = Symbol.for('annals.TimesElsewhere');
