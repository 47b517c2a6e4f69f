import type { RoomId } from '#kernel/ids';
import type { Position } from '#kernel/position';

/** How often mails tell of a room. */
export interface DigestRoom {
  readonly room_id: RoomId;
  /** When a mail told of it last, in milliseconds since the epoch. */
  readonly mailed_at: number;
  /** For so many milliseconds after that no mail is sent because of it. */
  readonly wait_ms: number;
  /** When the last event came that was told. */
  readonly newest_at: number;
}

/** What mails have told a user of what is unread, and when it is looked at next: of a pusher of the kind `email`. It says where things stand, and nothing of them. */
export interface Digest {
  /** What came before this place was there before the pusher. Of no meaning once something was mailed. */
  readonly from?: Position;
  /** All up to this place was mailed. */
  readonly up_to?: Position;
  /** When it is to be looked at what is unread, in milliseconds since the epoch; absent: nothing is. */
  readonly due_at?: number;
  /** A mail that tells of all up to a place was begun at a time, and it is not known whether it was taken. Tried so often. */
  readonly mailing?: { readonly up_to: Position; readonly at: number; readonly tries: number };
  /** The rooms that mails told of lately, those that were told last at the end. */
  readonly rooms?: readonly DigestRoom[];
  /** So many mails in a row were refused for good, because of who they are to, and when the first of them was. */
  readonly refused?: { readonly mails: number; readonly since: number };
  /** How many mails were sent in the day that began at a time. */
  readonly day?: { readonly from: number; readonly mails: number };
}
