import { Inject, Injectable } from '@nestjs/common';
import { Aggregates } from '#event-store/aggregates';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import { findLogIdentity } from '#event-store/log-identity';
import type { FactDraft } from '#event-store/seal-facts';
import { CLOCK, type Clock } from '#kernel/clock';
import type { ServerName } from '#kernel/ids';
import type { CacheNumbers } from '#kernel/lru-cache';
import type { Position } from '#kernel/position';
import type { Mark } from '#projections/effects/effect-facts';
import { markOf } from '#projections/effects/effect-marks';
import type { FactPlace } from '#projections/effects/effect-progress';
import { placeOfMark } from '#projections/effects/place-of-mark';
import { behindAfter, type DestinationBehind, destinationStream } from '../facts/destination-facts.js';

/** How many servers' notes are remembered: those that fail or come back now. */
const CAPACITY = 1_000;

/** How a server does that is behind, after what is known of how it did before. */
export type Judge = (before: DestinationBehind | undefined) => Omit<DestinationBehind, 'since'>;

/**
 * What is noted of the servers that are sent to, in the log: only of those that could not be reached, or not fast enough. Written when
 * that begins, as it goes on, and when it has ended; never for what is sent.
 */
@Injectable()
export class DestinationNotes {
  readonly #streams: Aggregates<DestinationBehind | undefined>;
  #logId: Promise<string | null> | undefined;

  constructor(
    @Inject(EVENT_STORE) private readonly store: EventStore,
    @Inject(CLOCK) clock: Clock,
  ) {
    this.#streams = new Aggregates<DestinationBehind | undefined>({
      store,
      clock,
      capacity: CAPACITY,
      newestOnly: true,
      initialState: undefined,
      evolve: (_, fact) => behindAfter(fact),
    });
  }

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#streams.numbers;
  }

  /** Where the log ends. */
  head(): Promise<Position> {
    return this.store.head();
  }

  /** What is owed to a server; undefined where nothing is. Throws where the log is away, as all that follows. */
  async find(server: ServerName): Promise<DestinationBehind | undefined> {
    return (await this.#streams.load(destinationStream(server))).state;
  }

  /** Where in this log a server is behind from. */
  async placeOf({ since }: DestinationBehind): Promise<Position> {
    return placeOfMark(this.store, await this.#findLogId(), since);
  }

  /**
   * Notes that a server is behind, from a fact on unless it is from an earlier one already. Answers what is noted then; undefined, and
   * nothing is, where neither is told.
   */
  async noteBehind(
    server: ServerName,
    since: FactPlace | undefined,
    judge: Judge,
  ): Promise<DestinationBehind | undefined> {
    const mark: Mark | undefined = since && markOf(since, await this.#findLogId());
    return this.#write(server, (before) => {
      const from = before?.since ?? mark;
      return from === undefined ? [] : [draftOf('destination-behind', { since: from, ...judge(before) })];
    });
  }

  /** Notes that a server that is behind is so only from a later fact on. */
  async noteProgress(server: ServerName, since: FactPlace, how: ReturnType<Judge>): Promise<void> {
    const mark = markOf(since, await this.#findLogId());
    await this.#write(server, (before) =>
      before === undefined ? [] : [draftOf('destination-behind', { since: mark, ...how })],
    );
  }

  /** Notes that nothing is owed to a server any more. */
  async noteCaughtUp(server: ServerName): Promise<void> {
    await this.#write(server, (before) => (before === undefined ? [] : [draftOf('destination-caught-up', {})]));
  }

  async #write(
    server: ServerName,
    decide: (before: DestinationBehind | undefined) => FactDraft[],
  ): Promise<DestinationBehind | undefined> {
    const stream = destinationStream(server);
    const { state, revision, facts } = await this.#streams.execute(stream, decide, { actor: 'server' });
    // What is left where the log cannot be reached just now goes with the next.
    if (facts.length > 0 && typeof revision === 'number' && revision > 0)
      await this.store.truncate(stream, revision).catch(() => {});
    return state;
  }

  #findLogId(): Promise<string | null> {
    const found = (this.#logId ??= findLogIdentity(this.store).then((identity) => identity?.logId ?? null));
    found.catch(() => (this.#logId = undefined));
    return found;
  }
}

function draftOf(type: string, data: object): FactDraft {
  const text = JSON.stringify(data);
  return { id: `${type} ${text}`, type, data: text };
}
