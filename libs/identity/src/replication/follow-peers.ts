import { randomUUID } from 'node:crypto';
import { Inject, Injectable, Logger } from '@nestjs/common';
import type { IdentityPeer } from '#config/identity-config';
import { Aggregates } from '#event-store/aggregates';
import { EVENT_STORE, type EventStore, type NewFact } from '#event-store/event-store';
import { CLOCK, type Clock } from '#kernel/clock';
import type { ServerName } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { CacheNumbers } from '#kernel/lru-cache';
import { PeerRefused, PeerUnavailable } from '#kernel/peer-errors';
import { ByTheClock } from '#projections/by-the-clock';
import { Associations } from '../associations/associations.js';
import type { ToldAssociation } from '../decide/learn-association.js';
import { identityPeerStream, type PeerFollowed } from '../facts/identity-facts.js';
import { IdentityAccounts } from '../identity-accounts.js';
import { MOST_SKEW_MS } from './clock-skew.js';
import { IdentityPeers } from './identity-peers.js';
import { readEntry } from './read-entry.js';
import { WaitingEntries } from './waiting-entries.js';

/** How often each is asked. */
const LOOK_MS = 5_000;
/** So many pages in a row: of one that has more the rest is read at the next look. */
const MOST_PAGES = 500;
/** What is of a time further ahead is passed over: at each start all is read again from the first that waits. */
const MOST_AHEAD_MS = 7 * 24 * 3600_000;
const CAPACITY = 100;

/** How far one of them is followed. */
interface Following {
  /** Up to where it was read. */
  place: string;
  readonly waiting: WaitingEntries;
}

/** What became of an entry: it is known, was none, waits for its time, or is of one too far ahead. */
type Taken = 'known' | 'none' | 'waits' | 'passed over';

/**
 * Learns from the identity servers that this one trusts what they say of identifiers ("Mappings are kept indefinitely"): each is asked again and again for what
 * it has said since. What was learnt twice changes nothing; how far each was read is noted after what was read. What is of a time to come waits for it, and nothing else does.
 */
@Injectable()
export class FollowPeers extends ByTheClock {
  readonly #log = new Logger('identity');
  readonly #places: Aggregates<string>;
  readonly #following = new Map<ServerName, Following>();
  /** Why each is not followed for the moment, so that it is told once. */
  readonly #faults = new Map<ServerName, string>();

  constructor(
    @Inject(EVENT_STORE) store: EventStore,
    @Inject(CLOCK) private readonly clock: Clock,
    private readonly peers: IdentityPeers,
    private readonly associations: Associations,
    private readonly accounts: IdentityAccounts,
  ) {
    super();
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

  protected beginToLook(): void {
    if (this.peers.all.length > 0) this.looks.soon();
  }

  protected async doDue(): Promise<number> {
    await Promise.all(this.peers.all.map((peer) => this.#followSafely(peer)));
    return LOOK_MS;
  }

  protected lookFailed(error: unknown): void {
    this.#log.warn({ err: error }, 'other identity servers were not followed');
  }

  async #followSafely(peer: IdentityPeer): Promise<void> {
    const following = await this.#followingOf(peer.name);
    try {
      await this.#follow(peer, following);
      if (this.#faults.delete(peer.name)) this.#log.log(`${peer.name} is followed again`);
    } catch (error) {
      if (!(error instanceof PeerUnavailable || error instanceof PeerRefused)) throw error;
      if (this.#faults.get(peer.name) === error.message) return;
      this.#faults.set(peer.name, error.message);
      this.#log.warn(`${peer.name} is not followed for now: ${error.message}`);
    }
  }

  async #followingOf(name: ServerName): Promise<Following> {
    const known = this.#following.get(name);
    if (known !== undefined) return known;
    const place = (await this.#places.load(identityPeerStream(name))).state;
    const following = { place, waiting: new WaitingEntries() };
    this.#following.set(name, following);
    return following;
  }

  async #follow(peer: IdentityPeer, following: Following): Promise<void> {
    const { waiting } = following;
    const due = waiting.listUntil(this.#latest());
    for (const told of due) {
      await this.associations.learn(told);
      waiting.drop(told);
    }
    if (due.length > 0) await this.#note(peer.name, following);
    for (let pages = 0; pages < MOST_PAGES && !this.looks.isStopped; pages++) {
      const { entries, next, more } = await this.peers.read(peer, following.place);
      // Who may find somebody first: nobody is found meanwhile who does not want to be.
      const inOrder = entries.toSorted((a, b) => Number('readers' in b) - Number('readers' in a));
      const taken: Taken[] = [];
      for (const entry of inOrder) taken.push(await this.#take(peer, entry, following));
      this.#sayWhatIsAhead(peer.name, taken);
      if (next === following.place) return;
      following.place = next;
      await this.#note(peer.name, following);
      if (!more) return;
    }
  }

  /**
   * Throws PeerUnavailable for what cannot be the peer's own word. It signs all that it tells with one key, so nothing behind that would be otherwise, and
   * all of it is asked for again.
   */
  async #take(peer: IdentityPeer, entry: JsonObject, { waiting, place }: Following): Promise<Taken> {
    if (!this.peers.isSigned(peer, entry)) throw new PeerUnavailable('It tells what its key has not signed');
    const told = readEntry(entry, peer.name);
    // What it will tell one day and this server does not know yet.
    if (told === undefined) return 'none';
    if (told.kind === 'readers') {
      // By no time: its last word of somebody counts.
      await this.accounts.learnReaders(told.told.mxid, peer.name, told.told.readers);
      return 'known';
    }
    waiting.drop(told.told);
    if (told.kind === 'end') {
      // It is over now, whatever the clock of who says so: what is made here next is to be of a time that others take.
      await this.associations.learnEnd({ ...told.told, ts: Math.min(told.told.ts, this.#latest()) });
      return 'known';
    }
    if (await this.#isAhead(told.told)) {
      const isSoon = told.told.ts <= this.clock.now() + MOST_AHEAD_MS;
      return isSoon && waiting.add(told.told, place) ? 'waits' : 'passed over';
    }
    await this.associations.learn(told.told);
    return 'known';
  }

  /** Whether it would count for what others say until its time has come. Where this server knows of as late a one already, nothing comes of waiting. */
  async #isAhead({ ts, of }: ToldAssociation): Promise<boolean> {
    if (ts <= this.#latest()) return false;
    const { made } = await this.associations.findHolder(of);
    return made === undefined || made.ts < ts;
  }

  /** What is of a later time is of one to come. */
  #latest(): number {
    return this.clock.now() + MOST_SKEW_MS;
  }

  /** Up to what waits: who starts anew asks for that again. */
  async #note(name: ServerName, { place, waiting }: Following): Promise<void> {
    const next = waiting.firstPlace ?? place;
    const data = JSON.stringify({ next } satisfies PeerFollowed);
    await this.#places.execute(
      identityPeerStream(name),
      (noted) => (noted === next ? [] : [{ id: randomUUID(), type: 'peer-followed', data }]),
      { actor: 'server' },
    );
  }

  #sayWhatIsAhead(name: ServerName, taken: readonly Taken[]): void {
    const waiting = taken.filter((one) => one === 'waits').length;
    const passedOver = taken.filter((one) => one === 'passed over').length;
    if (waiting + passedOver === 0) return;
    this.#log.warn(
      `${name} tells of times to come, its clock is ahead of that of this server: ${waiting} things wait until then, ${passedOver} are passed over`,
    );
  }
}
