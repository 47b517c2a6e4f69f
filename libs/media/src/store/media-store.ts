import type { Readable } from 'node:stream';
import { StoreAway } from '#kernel/outage';

/** The sha256 of some content in lower-case hex: what it is stored under, however many media have it. */
export type ContentHash = string & { readonly __brand: 'ContentHash' };

const HASH = /^[0-9a-f]{64}$/;

export function isContentHash(text: string): text is ContentHash {
  return HASH.test(text);
}

/** Content that has come whole and belongs to nobody yet: who has it discards it in the end, kept or not. */
export interface ReceivedContent {
  readonly hash: ContentHash;
  readonly bytes: number;
  /** Stores it under its hash, durably; nothing where that is there already, whole. As often as it is called: somebody may have freed it. */
  keep(): Promise<void>;
  /** Lets go of what was received. What was kept stays. */
  discard(): Promise<void>;
}

/** From the first to the last byte, both included and both within the content. */
export interface ByteRange {
  readonly first: number;
  readonly last: number;
}

export interface OpenContent {
  /** Of all of the content, whatever part of it is read. */
  readonly bytes: number;
  /** To be read to its end or destroyed. */
  readonly stream: Readable;
}

/** More bytes came than were to be taken. */
export class ContentTooLarge extends Error {
  constructor(readonly maxBytes: number) {
    super(`more than ${maxBytes} bytes`);
    this.name = 'ContentTooLarge';
  }
}

const RETRY_AFTER_MS = 5_000;

/** The store cannot be reached, or refuses to serve us: nothing is known of what was to be done. */
export class StoreUnavailable extends StoreAway {
  constructor(cause: unknown) {
    const fields = { retry_after_ms: RETRY_AFTER_MS };
    super('M_UNKNOWN', 'The media of the server cannot be reached', { status: 503, fields, cause });
  }
}

/**
 * Where content is: bytes under their sha256, and under it whatever was made of them (thumbnails), which goes with them. It knows
 * nothing of media, users or rights. What it has of a hash is whole and stored for good, or not there at all. All of it throws StoreUnavailable.
 */
export interface MediaStore {
  /**
   * Takes content as it comes: no more than a piece of it is in memory, and no more than `maxBytes` on the disk. Throws ContentTooLarge, or
   * what the source throws: then nothing of it is left.
   */
  receive(source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>, maxBytes: number): Promise<ReceivedContent>;
  /** The content, or a range of it; undefined where it is not there. */
  open(hash: ContentHash, range?: ByteRange): Promise<OpenContent | undefined>;
  /** How many bytes it has; undefined where it is not there. */
  sizeOf(hash: ContentHash): Promise<number | undefined>;
  /** Frees content and all that was made of it. Answers whether there was any. */
  delete(hash: ContentHash): Promise<boolean>;
  /** The hash of all content there is, in no order. What comes or goes meanwhile may or may not be among it. */
  list(): AsyncIterable<ContentHash>;
  /** Keeps what was made of some content under a name of letters, digits, `.`, `_` and `-`; replaces what was there. */
  keepDerived(hash: ContentHash, name: string, content: Uint8Array): Promise<void>;
  /** How many bytes all that was made of some content has. */
  sizeOfDerived(hash: ContentHash): Promise<number>;
  /** What was made of some content; undefined where it is not there. */
  openDerived(hash: ContentHash, name: string): Promise<OpenContent | undefined>;
  /**
   * Lets go of what a former process received and did not keep. Called once, before anything is received. `untouchedMs`: of what nothing came
   * for so long, for other processes may be receiving into the same store.
   */
  discardLeftovers(untouchedMs?: number): Promise<void>;
}

/** Injection token of the MediaStore. */
export const MEDIA_STORE = Symbol.for('annals.MediaStore');
