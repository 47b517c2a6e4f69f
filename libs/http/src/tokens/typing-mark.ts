import { createHash } from 'node:crypto';
import type { RoomId } from '#kernel/ids';

/** Up to where a client has heard of typing: a part of its token. Numbers of another run of the server mean nothing here. */
export interface TypingMark {
  /** The run of the server in which it was made; '' in a mark of who has heard nothing. */
  readonly run: string;
  /** The number of the last change. */
  readonly sequence: number;
  /** The rooms, by their hashes, in which the client was told that somebody types; 'all' where they are too many. */
  readonly rooms: readonly string[] | 'all';
}

/** The mark of who has heard of no typing at all. */
export const NO_TYPING: TypingMark = Object.freeze({ run: '', sequence: 0, rooms: Object.freeze([]) });

const HASH_LENGTH = 8;
const MARK = /^([0-9a-f]{8})\.(\d{1,15})(?:\.(all|(?:[0-9a-f]{8}){1,32}))?$/;
const NOTHING = '0';

/** A room as marks name it. */
export function typingHashOf(roomId: RoomId): string {
  return createHash('sha256').update(roomId).digest('hex').slice(0, HASH_LENGTH);
}

/** Whether the client was told that somebody types in a room, as far as its mark can tell. */
export function namesRoom({ rooms }: TypingMark, roomId: RoomId): boolean {
  return rooms === 'all' || (rooms.length > 0 && rooms.includes(typingHashOf(roomId)));
}

/** A mark as part of a token. */
export function formatTypingMark({ run, sequence, rooms }: TypingMark): string {
  if (run === '') return NOTHING;
  if (rooms.length === 0) return `${run}.${sequence}`;
  return `${run}.${sequence}.${rooms === 'all' ? rooms : rooms.join('')}`;
}

/** Reads what `formatTypingMark` wrote; undefined for anything else. */
export function findTypingMark(text: string): TypingMark | undefined {
  if (text === NOTHING) return NO_TYPING;
  const [, run, sequence, rooms = ''] = MARK.exec(text) ?? [];
  if (run === undefined) return undefined;
  const named = rooms === 'all' ? rooms : (rooms.match(/.{8}/g) ?? []);
  return { run, sequence: Number(sequence), rooms: named };
}
