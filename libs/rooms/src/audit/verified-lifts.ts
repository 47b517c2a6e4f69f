import type { EventId } from '#kernel/ids';
import type { StateTrie } from '#protocol/state-trie/state-trie';
import type { VerifiedEvents } from './verified-events.js';

/** Which soft-failed events members are told of after all, as the verifier has come to it. */
export class VerifiedLifts {
  readonly #softFailed = new Set<EventId>();

  constructor(private readonly events: VerifiedEvents) {}

  /** Takes an event that was soft-failed. */
  take(eventId: EventId): void {
    this.#softFailed.add(eventId);
  }

  /** What is wrong with that one is let in by a state. */
  check(eventId: EventId, now: StateTrie): string[] {
    const event = this.events.get(eventId);
    if (event === undefined || !this.#softFailed.has(eventId))
      return [`${eventId}: is let in, and was not soft-failed`];
    const refusal = this.events.restsOnErased(event) ? undefined : this.events.refusalByState(event, now);
    return refusal === undefined
      ? []
      : [`${eventId}: is let in, and is not authorised by the current state: ${refusal}`];
  }
}
