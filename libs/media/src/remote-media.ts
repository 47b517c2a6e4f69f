import type { MediaAbout } from './facts/media-facts.js';
import type { MediaRef } from './media-id.js';

/** A medium as another server gives it. */
export interface FoundMedia extends MediaAbout {
  readonly body: AsyncIterable<Uint8Array>;
  /** So many bytes it has at the least, as its server says before any of them comes; undefined where it does not. */
  readonly atLeast?: number;
}

export interface FetchBounds {
  /** For how long the other server may wait for content that was not uploaded yet. */
  readonly timeoutMs: number;
  /** The most bytes of it. */
  readonly maxBytes: number;
}

/** What media need of who can ask other servers; `libs/federation` implements it. */
export interface RemoteMedia {
  /**
   * Asks the server that a medium is of, and gives what comes to `take`, as it comes; answers what that answers, and throws what it throws.
   * Throws PeerRefused, PeerUnavailable, and UnreadableAnswer where it is more than may come.
   */
  fetch<T>(media: MediaRef, bounds: FetchBounds, take: (found: FoundMedia) => Promise<T>): Promise<T>;
}

/** Injection token of the RemoteMedia; where there is none, media of other servers are not there. */
export const REMOTE_MEDIA = Symbol.for('annals.RemoteMedia');
