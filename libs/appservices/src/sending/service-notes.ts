import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { Aggregates } from '#event-store/aggregates';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import { findLogIdentity } from '#event-store/log-identity';
import { CLOCK, type Clock } from '#kernel/clock';
import { type Position, START } from '#kernel/position';
import type { CacheNumbers } from '#kernel/lru-cache';
import type { Mark } from '#projections/effects/effect-facts';
import { markOf } from '#projections/effects/effect-marks';
import type { FactPlace } from '#projections/effects/effect-progress';
import { placeOfMark } from '#projections/effects/place-of-mark';
import { type ServiceFact, serviceAfter, serviceStream } from '../facts/service-facts.js';

/** How many services' notes are remembered: more than a server has. */
const CAPACITY = 1_000;
/** So many facts of a stream are let go of at once. */
const FACTS_PER_TRUNCATION = 64;

/** Another process sends to the service now. */
export class Overtaken extends Error {}

/** How far each application service is, in the log: written for each transaction, before it is sent. */
@Injectable()
export class ServiceNotes {
  readonly #streams: Aggregates<ServiceFact | undefined>;
  #logId: Promise<string | null> | undefined;

  constructor(
    @Inject(EVENT_STORE) private readonly store: EventStore,
    @Inject(CLOCK) clock: Clock,
  ) {
    this.#streams = new Aggregates<ServiceFact | undefined>({
      store,
      clock,
      capacity: CAPACITY,
      newestOnly: true,
      initialState: undefined,
      evolve: (_, fact) => serviceAfter(fact),
    });
  }

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#streams.numbers;
  }

  /** What is noted of a service; of one that is new, which hears of what comes from now on, that is noted first. */
  async begin(id: string): Promise<ServiceFact> {
    const { state } = await this.#streams.load(serviceStream(id));
    if (state !== undefined) return state;
    const last = await this.store.findLast();
    const upTo = last && (await this.mark({ ...last, at: last.metadata.at }));
    return this.write(id, undefined, { type: 'service-followed', data: { number: 0, up_to: upTo ?? null } });
  }

  /** Notes what follows upon what this process knows to be noted. Throws Overtaken where something else is. */
  async write<F extends ServiceFact>(id: string, known: ServiceFact | undefined, fact: F): Promise<F> {
    const stream = serviceStream(id);
    const data = JSON.stringify(fact.data);
    const { revision } = await this.#streams.execute(
      stream,
      (state) => {
        if (state?.type !== known?.type || state?.data.number !== known?.data.number) throw new Overtaken();
        return [{ id: randomUUID(), type: fact.type, data }];
      },
      { actor: 'server' },
    );
    // What is left where the log cannot be reached just now goes with the next.
    if (typeof revision === 'number' && revision % FACTS_PER_TRUNCATION === FACTS_PER_TRUNCATION - 1)
      await this.store.truncate(stream, revision).catch(() => {});
    return fact;
  }

  async mark(place: FactPlace): Promise<Mark> {
    return markOf(place, await this.#findLogId());
  }

  /** Where a mark is in this log. */
  async placeOf(mark: Mark | null): Promise<Position> {
    return mark === null ? START : placeOfMark(this.store, await this.#findLogId(), mark);
  }

  #findLogId(): Promise<string | null> {
    const found = (this.#logId ??= findLogIdentity(this.store).then((identity) => identity?.logId ?? null));
    found.catch(() => (this.#logId = undefined));
    return found;
  }
}
