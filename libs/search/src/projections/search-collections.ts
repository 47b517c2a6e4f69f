import type { RoomId, UserId } from '#kernel/ids';
import { shortHash } from '#kernel/short-hash';
import { asJson, asText, Collection } from '#projections/collection';
import type { EventKeyPart } from '#rooms/projections/event-place';
import { type Shelf, shelfCodec, type ShelfRow } from './shelf-row.js';

/** What stands for a room in keys. */
export type RoomMark = string & { readonly __brand: 'RoomMark' };

/** The texts of a room that were news, or those of it that were fetched from the past or came as a part of a state. */
export type ShelfName = string & { readonly __brand: 'ShelfName' };

/** A number in a key, which sorts by its size. */
export type NumberKey = string & { readonly __brand: 'NumberKey' };

export function roomMark(roomId: RoomId): RoomMark {
  return shortHash(roomId) as RoomMark;
}

export function shelfOf(room: RoomMark, isHistory: boolean): ShelfName {
  return (isHistory ? `${room}h` : room) as string as ShelfName;
}

/** 72 bits of a hash: who makes up a user id that shares it with another's is found as if they were that one, and shown as themself. */
export function senderMark(userId: UserId): string {
  return shortHash(userId).slice(0, 12);
}

const RADIX = 36;
const BEFORE_A = 96;

export function numberKey(value: number): NumberKey {
  const digits = value.toString(RADIX);
  return (String.fromCharCode(BEFORE_A + digits.length) + digits) as NumberKey;
}

export function numberOfKey(key: NumberKey): number {
  return parseInt(key.slice(1), RADIX);
}

export const SHELVES = new Collection<readonly [shelf: ShelfName], ShelfRow>('search-shelves', {
  key: ['hash of the room, `h` for its history'],
  says: 'what the shelf is called in other keys, how many texts there are, and the newest of them',
  codec: shelfCodec,
});

/** So many texts are a page. */
export const PAGE_TEXTS = 16;

export const PAGES = new Collection<readonly [shelf: Shelf, first: NumberKey], string>('search-pages', {
  key: ['shelf', 'number of its first text'],
  says: 'sixteen texts: where and when they were sent, by whom, their words',
  codec: asText(),
});

/** So many texts are a block: a row of a word names those of one block that have it. */
export const BLOCK_TEXTS = 256;

export const WORDS = new Collection<readonly [shelf: Shelf, word: string, block: NumberKey], string>('search-words', {
  key: ['shelf', 'word', 'number of the first text of the block'],
  says: 'which texts of the block have the word',
  codec: asText(),
});

/** The number of a text, on which shelf; the hash of the event that this one edits; or that it is redacted. */
export const TEXTS = new Collection<readonly [room: RoomMark, event: EventKeyPart], string>('search-texts', {
  key: ['hash of the room', 'hash of the event'],
  says: 'where its text is, which event it edits, or that it was redacted',
  codec: asText(),
});

/** What an event was changed to. */
export interface Edit {
  readonly id: EventKeyPart;
  readonly sent_at: number;
  readonly sender: string;
  readonly words: readonly string[];
}

/** All versions of a text. */
export interface Edits {
  /** The words before any edit; left out where the event has not come yet. */
  readonly original?: readonly string[];
  /** In the order in which they were sent: the last one counts. */
  readonly edits: readonly Edit[];
}

export const EDITS = new Collection<readonly [room: RoomMark, event: EventKeyPart], Edits>('search-edits', {
  key: ['hash of the room', 'hash of the event'],
  says: 'its words, and those of its edits',
  codec: {
    // One order of keys, whatever happened before: a rebuilt row must be the same text.
    encode: ({ original, edits }) => JSON.stringify({ original, edits }),
    decode: asJson<Edits>().decode,
  },
});
