import type { EventId, RoomId } from '#kernel/ids';
import { Turn } from '#projections/turn';
import { placeInChainOf, type PduSources, readPdus } from './read-pdus.js';

/** PERF: so many events are read, and parsed, in a few milliseconds; others have their turn in between. */
export const READ_AT_ONCE = 128;

/** An event by its id, and its text as signed. */
export type PduEntry = readonly [eventId: EventId, text: string];

/**
 * The events that authorise some others, and those that authorise these, each once: some hundred at a time, for they may be a hundred
 * thousand. Kept in memory are their ids alone.
 */
export class AuthChain {
  /** What is still to be told. */
  readonly #open = new Set<EventId>();
  readonly #noted = new Set<EventId>();
  readonly #turn = new Turn(1);

  constructor(
    private readonly sources: PduSources,
    private readonly roomId: RoomId,
  ) {}

  /** Lets the chain hold these, and what authorises them. */
  hold(eventIds: readonly EventId[]): void {
    for (const eventId of eventIds) {
      if (this.#noted.has(eventId)) continue;
      this.#noted.add(eventId);
      this.#open.add(eventId);
    }
  }

  /** Reads events that are no part of the chain; of all that it answers the chain holds what authorises them. */
  async *readAll(eventIds: readonly EventId[]): AsyncGenerator<readonly PduEntry[], void> {
    for (let at = 0; at < eventIds.length; at += READ_AT_ONCE) {
      const read = await this.#read(eventIds.slice(at, at + READ_AT_ONCE));
      yield read.map(({ entry }) => entry);
    }
  }

  /**
   * What it holds, as far as it was not told yet, without what is not here; of what is read together the older first, so that who takes
   * one after another mostly has what authorises it.
   */
  async *pages(): AsyncGenerator<readonly PduEntry[], void> {
    while (this.#open.size > 0) {
      const some: EventId[] = [];
      for (const eventId of this.#open) {
        some.push(eventId);
        if (some.length === READ_AT_ONCE) break;
      }
      for (const eventId of some) this.#open.delete(eventId);
      const read = await this.#read(some);
      yield read.toSorted((one, other) => one.depth - other.depth).map(({ entry }) => entry);
    }
  }

  async #read(eventIds: readonly EventId[]): Promise<readonly { readonly entry: PduEntry; readonly depth: number }[]> {
    if (this.#turn.isOver()) await this.#turn.pass();
    const entries = [...(await readPdus(this.sources, this.roomId, eventIds))];
    return entries.map((entry) => {
      const { authEvents, depth } = placeInChainOf(entry[1]);
      this.hold(authEvents);
      return { entry, depth };
    });
  }
}
