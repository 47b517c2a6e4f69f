import type { Received } from '#rooms/commands/receiving';
import type { WaitingPdu } from '../facts/inbound-facts.js';

/** An event that others must come before. */
export type Missing = Extract<Received, { readonly kind: 'missing' }>;

/** What became of an event that was received again with what it missed. */
export type Settlement =
  /** It is in its room. `reason`: it is not, and never will be. */
  | { readonly kind: 'settled'; readonly reason?: string }
  /** Not all it misses could be fetched: another time it may be. */
  | { readonly kind: 'waits'; readonly reason: string };

/** What the inbound queue needs of who fetches from other servers. */
export interface EventFetching {
  /**
   * Receives an event of another server, fetching what it misses. Takes as long as other servers take, within bounds. Never throws for a
   * fault of theirs; throws where the log or the views cannot be reached.
   */
  receive(waiting: WaitingPdu, signal: AbortSignal): Promise<Settlement>;
}

/** Injection token of the EventFetching. */
export const EVENT_FETCHING = Symbol.for('annals.EventFetching');
