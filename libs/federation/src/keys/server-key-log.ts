import { Inject, Injectable } from '@nestjs/common';
import { Aggregates } from '#event-store/aggregates';
import { EVENT_STORE, type EventStore, type NewFact, type RecordedFact } from '#event-store/event-store';
import { draftOf } from '#event-store/seal-facts';
import { CLOCK, type Clock } from '#kernel/clock';
import type { ServerName } from '#kernel/ids';
import type { CacheNumbers } from '#kernel/lru-cache';
import { evolveKnownKeys, type KnownKeys, NO_KEYS } from '../receive/known-keys.js';
import { readTold, type ServerKeysTold, serverKeysStream } from '../facts/server-key-facts.js';
import { readKeys } from '../receive/read-key-document.js';

const CAPACITY = 500;

/** The write side of what is told of the keys of other servers. */
@Injectable()
export class ServerKeyLog {
  readonly #streams: Aggregates<KnownKeys>;

  constructor(@Inject(EVENT_STORE) store: EventStore, @Inject(CLOCK) clock: Clock) {
    const evolve = (known: KnownKeys, fact: NewFact): KnownKeys => evolveKnownKeys(known, readTold(fact));
    this.#streams = new Aggregates({
      store,
      clock,
      capacity: CAPACITY,
      initialState: NO_KEYS,
      evolve,
      lastOfEach: keysOf,
    });
  }

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#streams.numbers;
  }

  /** All that is known of the keys of a server. */
  async load(server: ServerName): Promise<KnownKeys> {
    return (await this.#streams.load(serverKeysStream(server))).state;
  }

  /** Appends what was told where something is known by it that was not, and answers all that is known then. */
  async keep(server: ServerName, told: ServerKeysTold): Promise<KnownKeys> {
    const { state } = await this.#streams.execute(
      serverKeysStream(server),
      (known) => (evolveKnownKeys(known, told) === known ? [] : [draftOf({ type: 'server-keys-told', data: told })]),
      { actor: told.notary ?? server },
    );
    return state;
  }
}

/** Of those that tell the same keys the last one is valid for longest. */
function keysOf(fact: RecordedFact): string {
  const { document, notary } = readTold(fact);
  const read = readKeys(document);
  return JSON.stringify([notary, typeof read === 'string' ? read : read.keys]);
}
