import { randomUUID } from 'node:crypto';
import { Inject, Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import type { IdentityPeer } from '#config/identity-config';
import { Aggregates } from '#event-store/aggregates';
import { EVENT_STORE, type EventStore, type NewFact } from '#event-store/event-store';
import { CLOCK, type Clock } from '#kernel/clock';
import type { ServerName } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { CacheNumbers } from '#kernel/lru-cache';
import { PeerRefused, PeerUnavailable } from '#kernel/peer-errors';
import { RegularLooks } from '#projections/regular-looks';
import { Associations } from '../associations.js';
import { identityPeerStream, type PeerFollowed } from '../facts/identity-facts.js';
import { IdentityAccounts } from '../identity-accounts.js';
import { IdentityPeers } from './identity-peers.js';
import { readEntry } from './read-entry.js';

/** How often each is asked. */
const LOOK_MS = 5_000;
/** So many pages in a row: of one that has more the rest is read at the next look. */
const MOST_PAGES = 500;
/** Clocks differ, but not by more. What is of a later time waits until it is not: it would count for all that is said until then. */
const SKEW_MS = 5 * 60_000;
const CAPACITY = 100;

/**
 * Learns from the identity servers that this one trusts what they say of identifiers ("Mappings are kept indefinitely"): each is asked again and again for what
 * it has said since. What was learnt twice changes nothing; how far each was read is noted after what was read.
 */
@Injectable()
export class FollowPeers implements OnApplicationBootstrap, OnModuleDestroy {
  readonly #log = new Logger('identity');
  readonly #places: Aggregates<string>;
  /** Why each is not followed for the moment, so that it is told once. */
  readonly #faults = new Map<ServerName, string>();
  readonly #looks = new RegularLooks({
    look: () => this.#look(),
    failed: (error) => this.#log.warn({ err: error }, 'other identity servers were not followed'),
  });

  constructor(
    @Inject(EVENT_STORE) store: EventStore,
    @Inject(CLOCK) private readonly clock: Clock,
    private readonly peers: IdentityPeers,
    private readonly associations: Associations,
    private readonly accounts: IdentityAccounts,
  ) {
    const evolve = (_: string, { data }: NewFact): string => (JSON.parse(data) as PeerFollowed).next; // written below
    this.#places = new Aggregates({
      store,
      clock,
      capacity: CAPACITY,
      initialState: '',
      evolve,
      newestOnly: true,
      lastOfEach: () => 'place',
    });
  }

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#places.numbers;
  }

  onApplicationBootstrap(): void {
    if (this.peers.all.length > 0) this.#looks.soon();
  }

  onModuleDestroy(): Promise<void> {
    return this.#looks.end();
  }

  /** Asks all of them, now. For tests; else it is done by itself. */
  look(): Promise<void> {
    return this.#looks.now();
  }

  async #look(): Promise<number> {
    await Promise.all(this.peers.all.map((peer) => this.#followSafely(peer)));
    return LOOK_MS;
  }

  async #followSafely(peer: IdentityPeer): Promise<void> {
    try {
      await this.#follow(peer);
      if (this.#faults.delete(peer.name)) this.#log.log(`${peer.name} is followed again`);
    } catch (error) {
      if (!(error instanceof PeerUnavailable || error instanceof PeerRefused)) throw error;
      if (this.#faults.get(peer.name) === error.message) return;
      this.#faults.set(peer.name, error.message);
      this.#log.warn(`${peer.name} is not followed for now: ${error.message}`);
    }
  }

  async #follow(peer: IdentityPeer): Promise<void> {
    const stream = identityPeerStream(peer.name);
    let place = (await this.#places.load(stream)).state;
    for (let pages = 0; pages < MOST_PAGES && !this.#looks.isStopped; pages++) {
      const { entries, next, more } = await this.peers.read(peer, place);
      // Who may find somebody first: nobody is found meanwhile who does not want to be.
      const inOrder = entries.toSorted((a, b) => Number('readers' in b) - Number('readers' in a));
      for (const entry of inOrder) await this.#take(peer, entry);
      if (next !== place) await this.#note(stream, next);
      place = next;
      if (!more) return;
    }
  }

  /** Throws PeerUnavailable for what cannot be the peer's own word, and what is of a later time than now: it is asked for again. */
  async #take(peer: IdentityPeer, entry: JsonObject): Promise<void> {
    if (!this.peers.isSigned(peer, entry)) throw new PeerUnavailable('It tells what its key has not signed');
    const told = readEntry(entry, peer.name);
    // What it will tell one day and this server does not know yet.
    if (told === undefined) return;
    if (told.told.ts > this.clock.now() + SKEW_MS) throw new PeerUnavailable('Its clock is ahead');
    if (told.kind === 'association') await this.associations.learn(told.told);
    else if (told.kind === 'end') await this.associations.learnEnd(told.hash, told.told);
    else await this.accounts.learnReaders(told.told.mxid, peer.name, told.told.readers);
  }

  async #note(stream: string, next: string): Promise<void> {
    const data = JSON.stringify({ next } satisfies PeerFollowed);
    await this.#places.execute(stream, () => [{ id: randomUUID(), type: 'peer-followed', data }], { actor: 'server' });
  }
}
