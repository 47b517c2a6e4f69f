import type { EventId } from '#kernel/ids';

/** The revisions of one moment. Whoever reads them lets go of them. */
export interface HeldRevisions {
  get(eventId: EventId): number | undefined;
  release(): void;
}

/**
 * For every event of a current state the fact that holds it, by its revision. PERF: as they are at one moment they can be read while
 * they change: to copy those of a large room would hold up everything else.
 */
export class StateRevisions {
  readonly #now = new Map<EventId, number>();
  /** What has changed since the moment that somebody reads, as it was then. */
  #then: Map<EventId, number | undefined> | undefined;

  get(eventId: EventId): number | undefined {
    return this.#now.get(eventId);
  }

  has(eventId: EventId): boolean {
    return this.#now.has(eventId);
  }

  set(eventId: EventId, revision: number): void {
    this.#keep(eventId);
    this.#now.set(eventId, revision);
  }

  delete(eventId: EventId): void {
    this.#keep(eventId);
    this.#now.delete(eventId);
  }

  clear(): void {
    for (const eventId of this.#now.keys()) this.#keep(eventId);
    this.#now.clear();
  }

  /** Holds them as they are now, for one reader: throws an Error while another one has not let go. */
  hold(): HeldRevisions {
    if (this.#then !== undefined) throw new Error('the revisions of another moment are being read');
    const then = new Map<EventId, number | undefined>();
    this.#then = then;
    return {
      get: (eventId) => (then.has(eventId) ? then.get(eventId) : this.#now.get(eventId)),
      release: () => (this.#then = undefined),
    };
  }

  #keep(eventId: EventId): void {
    if (this.#then !== undefined && !this.#then.has(eventId)) this.#then.set(eventId, this.#now.get(eventId));
  }
}
