import type { EventId, RoomId } from '#kernel/ids';

/** What rooms need of who can ask other servers for history: events of the past that are not here. `libs/federation` implements it. */
export interface HistoryElsewhere {
  /**
   * Fetches parents of events of a room that are here, and some of those before them, into their place in the room. Answers whether any
   * came. May take minutes: who has a client that waits goes on without it (`FillGaps`). Never throws for a fault of other servers.
   */
  fetch(roomId: RoomId, from: readonly EventId[], limit: number): Promise<boolean>;
  /** How deep in the graph an event is that is not here, as other servers tell it; undefined where none of them has it. */
  findDepth(roomId: RoomId, eventId: EventId): Promise<number | undefined>;
}

/** Injection token of the HistoryElsewhere. */
export const HISTORY_ELSEWHERE = Symbol.for('annals.HistoryElsewhere');

/** Where there is nobody to ask. */
export const NO_HISTORY_ELSEWHERE: HistoryElsewhere = {
  fetch: async () => false,
  findDepth: async () => undefined,
};
