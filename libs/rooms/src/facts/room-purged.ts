import type { EventId, UserId } from '#kernel/ids';

/**
 * `room-purged`: nobody here has to do with the room any more, and nothing is kept of it. Whatever stands before in its stream counts for
 * nobody, and goes from the log; the stream goes on if somebody joins the room again, which then is told anew.
 */
export interface RoomPurged {
  readonly room_version: string;
  /** Others of these follow, for all that is known of a large room does not go at once: until the last of them nobody can join it. */
  readonly more?: true;
  /** So far facts of the stream have been named whose rows nobody finds by the room; -1: none. */
  readonly up_to: number;
  /** Their events. */
  readonly events?: readonly EventId[];
  /** Users whose member events are among those. In the last facts of a purge: users of this server, of whom other streams tell too. */
  readonly users?: readonly UserId[];
  /** In the last one: the first fact of the purge that has to stay, for it names users of this server; left out: that one itself. */
  readonly kept_from?: number;
}
