import type { RoomId, ServerName } from '#kernel/ids';
import type { Pdu } from '#protocol/room-event';

/** How many requests are made to other servers because of one event, and for how long. */
const MOST_REQUESTS = 1_000;
const LONGEST_MS = 10 * 60_000;

/** What is to be fetched of a room, because of one event: bounded in requests and time, whatever other servers answer. */
export class Errand {
  readonly signal: AbortSignal;
  /** What events of the room name and turned out to be of other rooms. */
  readonly ofOtherRooms: Pdu[] = [];
  #left = MOST_REQUESTS;

  constructor(
    readonly roomId: RoomId,
    /** Those that are asked first. */
    readonly first: readonly ServerName[],
    signal?: AbortSignal,
    longestMs = LONGEST_MS,
  ) {
    const timeout = AbortSignal.timeout(longestMs);
    this.signal = signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
  }

  /** Whether another request may be made; counts it. */
  mayAsk(): boolean {
    return !this.signal.aborted && this.#left-- > 0;
  }
}
