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
import {
  type ServiceFact,
  type ServiceTransaction,
  serviceAfter,
  serviceStream,
  transactionIdOf,
} from '../facts/service-facts.js';

/** How many services' notes are remembered: more than a server has. */
const CAPACITY = 1_000;
/** So many facts of a stream are let go of at once. */
const FACTS_PER_TRUNCATION = 64;

/** Something else is noted of a service than this process knows: another one sends to it, or an operator passed a transaction over. */
export class Overtaken extends Error {}

/** An operator asked for a transaction to be passed over that is not under way. */
export class NotUnderWay extends Error {
  constructor(id: string, transactionId: string) {
    super(`${id} is not being sent a transaction ${transactionId}`);
    this.name = 'NotUnderWay';
  }
}

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

  /** What is noted of a service; undefined where it is new. */
  async find(id: string): Promise<ServiceFact | undefined> {
    return (await this.#streams.load(serviceStream(id))).state;
  }

  /** What is noted of a service; of one that is new, which hears of what comes from now on, that is noted first. */
  async begin(id: string): Promise<ServiceFact> {
    const state = await this.find(id);
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
        if (!isSame(state, known)) throw new Overtaken();
        return [{ id: randomUUID(), type: fact.type, data }];
      },
      { actor: 'server' },
    );
    // What is left where the log cannot be reached just now goes with the next.
    if (typeof revision === 'number' && revision % FACTS_PER_TRUNCATION === FACTS_PER_TRUNCATION - 1)
      await this.store.truncate(stream, revision).catch(() => {});
    return fact;
  }

  /**
   * That a transaction was passed over, where it was; undefined where it is under way. Throws Overtaken where something else is noted of the
   * service.
   */
  async findSkipped(id: string, known: ServiceFact): Promise<ServiceFact | undefined> {
    const noted = await this.find(id);
    if (isSame(noted, known)) return undefined;
    if (noted?.type !== 'service-followed' || noted.data.skipped !== true || noted.data.number !== known.data.number)
      throw new Overtaken();
    return noted;
  }

  /** Notes that the transaction which is under way, by its id, is not sent any more: what was in it is lost. Throws NotUnderWay. */
  async skip(id: string, transactionId: string): Promise<ServiceTransaction> {
    const known = await this.find(id);
    if (known?.type !== 'service-transaction' || transactionIdOf(known.data) !== transactionId) {
      throw new NotUnderWay(id, transactionId);
    }
    const { number, up_to } = known.data;
    await this.write(id, known, { type: 'service-followed', data: { number, up_to, skipped: true } });
    return known.data;
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

function isSame(one: ServiceFact | undefined, other: ServiceFact | undefined): boolean {
  return one?.type === other?.type && one?.data.number === other?.data.number;
}
