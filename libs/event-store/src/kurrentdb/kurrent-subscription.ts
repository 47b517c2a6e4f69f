import { setTimeout as delay } from 'node:timers/promises';
import type { KurrentDBClient } from '@kurrent/kurrentdb-client';
import { type Position, START } from '#kernel/position';
import type { RecordedFact } from '../event-store.js';
import { LogPutBack } from '../event-store-errors.js';
import { commitOf } from './commit-position.js';
import { factOf } from './kurrent-facts.js';
import { isAfter, type Place, placeOf } from './commit-position.js';
import type { KurrentReads } from './kurrent-reads.js';
import { RenewableClient } from './renewable-client.js';
import type { StreamNames } from './stream-names.js';
import { LIVE_LOOK_MS, takeLive } from './take-live.js';
import { errorKind, isTransient, Patience } from './transient.js';
import { ServerSilent } from './until-silent.js';

const BATCH = 500;
/** Live events that may wait in this process before the server is left to wait (and drops us if it takes long). */
const LIVE_BUFFER = 4000;
/** For how long a subscription may lack what is known to be in the log. */
const LAG_MS = 3000;
const LAG_LOOKS = LAG_MS / LIVE_LOOK_MS;
/** After so long without a word the end of the log is looked up: others may have written to it. */
const LOOK_MS = 10_000;

/** A fact that is not there is looked for again, lest it be only the node that lacks it. */
const MOST_LOOKS = 4;
const LOOK_AGAIN_MS = 1000;

/** So many subscriptions in a row may lack one position: what the server called it may not be what it tells. */
const MOST_DOUBTS = 5;

/** What is known of the end of the log from elsewhere: what this process appended, and what was looked up. */
export class KnownEnd {
  #position: Position | undefined;
  #doubted: Position | undefined;
  #doubts = 0;

  note(position: Position): void {
    if (this.#position === undefined || position > this.#position) this.#position = position;
  }

  isAfter({ commit }: Place): boolean {
    return this.#position !== undefined && commitOf(this.#position) > commit;
  }

  /** Tells that a subscription which lacks it is given up: after some of them it is not believed any more. */
  doubt(): void {
    if (this.#doubted !== this.#position) this.#doubts = 0;
    this.#doubted = this.#position;
    if (++this.#doubts >= MOST_DOUBTS) this.#position = undefined;
  }
}

/** How far a follower has come: what it was given, and what it need not be given because others wrote it. */
interface Reached {
  place: Place;
  /** The last fact up to there, once it is known. */
  fact: RecordedFact | undefined;
}

export interface FollowOptions {
  readonly reads: KurrentReads;
  readonly names: StreamNames;
  readonly end: KnownEnd;
  readonly signal: AbortSignal;
}

/**
 * Subscribes for as long as it is wanted, however often the server is lost meanwhile. What it lacks it reads first, for
 * reading is faster. A subscription that lacks for seconds what is known to be in the log is made anew, and so is its client.
 */
export class KurrentSubscriptions {
  readonly #client: RenewableClient;

  constructor(connect: () => KurrentDBClient) {
    this.#client = new RenewableClient(connect, true);
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  /**
   * Every fact after a position and each new one, until the signal. Throws what trying again cannot mend, and LogPutBack where
   * the log does not have any more what it went on after.
   */
  async *follow(from: Position, options: FollowOptions): AsyncIterable<readonly RecordedFact[]> {
    const { reads, signal } = options;
    const patience = new Patience(Infinity, signal);
    const reached: Reached = { place: placeOf(from), fact: undefined };
    let readsFirst = true;
    while (!signal.aborted) {
      const client = this.#client.current;
      try {
        // While the connection was lost, the server may have been put back to an older copy of its database.
        reached.fact = await this.#findAgain(reached.fact, from, options);
        if (signal.aborted) return;
        await reads.erasures.catchUp();
        // Reading is faster than subscribing until little is left to catch up.
        for await (const batch of readsFirst ? missed(reached, reads) : []) {
          patience.renew();
          yield batch;
          if (signal.aborted) return;
        }
        for await (const batch of this.#live(client, reached, options)) {
          patience.renew();
          yield batch;
          if (signal.aborted) return;
        }
        readsFirst = true;
      } catch (error) {
        if (!isTransient(error)) throw error;
        // Little is missing when a connection breaks, and the way to read may have broken with it.
        readsFirst = errorKind(error) !== 'unavailable';
        // The library looks for a leader again after an error, but does not find out that a node is dead which says nothing.
        if (error instanceof ServerSilent) this.#client.renew(client);
        // A consumer that was too slow for the server has lost nothing.
        if (error instanceof ServerSilent || !readsFirst) reads.suspect();
      }
      await patience.pause();
    }
  }

  /**
   * The last fact that was given, or the one at the position where it begins: undefined at START. Throws LogPutBack where it is
   * not there, and does not come: a new leader may not have it yet.
   */
  async #findAgain(
    given: RecordedFact | undefined,
    from: Position,
    { reads, signal }: FollowOptions,
  ): Promise<RecordedFact | undefined> {
    if (given === undefined && from === START) return undefined;
    for (let looks = 1; ; looks++) {
      const found = await (given === undefined ? reads.at(from) : reads.find(given));
      if (found !== undefined || signal.aborted) return found;
      if (looks === MOST_LOOKS) throw new LogPutBack(given?.position ?? from);
      reads.suspect();
      await delay(LOOK_AGAIN_MS, undefined, { signal }).catch(() => {});
    }
  }

  /** One subscription of the server, until it is dropped or the signal aborts. */
  async *#live(
    client: KurrentDBClient,
    reached: Reached,
    { reads, names, end, signal }: FollowOptions,
  ): AsyncIterable<readonly RecordedFact[]> {
    // Counted rather than measured: what came while this process was busy must be taken first.
    let lacksForLooks = 0;
    let lookedAt = 0;
    let searched: Place | undefined;
    const findFault = (waitedMs: number): Error | undefined => {
      const now = performance.now();
      if (waitedMs > LOOK_MS && now - lookedAt > LOOK_MS) {
        lookedAt = now;
        // A server that cannot be read either has nothing to tell.
        reads.last(LAG_MS).then(
          (last) => last !== undefined && end.note(last.position),
          () => {},
        );
      }
      // All that was sent before is taken.
      if (searched !== undefined && isAfter(searched, reached.place)) {
        reached.place = searched;
        lacksForLooks = 0;
      }
      lacksForLooks = end.isAfter(reached.place) ? lacksForLooks + 1 : 0;
      if (lacksForLooks <= LAG_LOOKS) return undefined;
      end.doubt();
      return new ServerSilent(LAG_MS);
    };
    const filter = reads.ours.filterToFollow((place) => (searched = place));
    const subscription = client.subscribeToAll(
      { fromPosition: reads.ours.from(reached.place), filter },
      { highWaterMark: LIVE_BUFFER },
    );
    for await (const events of takeLive(subscription, { signal, size: BATCH, findFault })) {
      const { erasures } = reads;
      // All of them first: what was erased meanwhile is not shown any more.
      const facts = events
        .filter((event) => !erasures.take(event))
        .map((event) => factOf(event, names.fromServer))
        .filter((fact) => fact !== undefined);
      const last = facts.at(-1);
      if (last === undefined) continue;
      lacksForLooks = 0;
      reach(reached, last);
      const now = facts.map((fact) => erasures.apply(fact)).filter((fact) => fact !== undefined);
      if (now.length > 0) yield now;
    }
  }
}

function reach(reached: Reached, fact: RecordedFact): void {
  reached.place = placeOf(fact.position);
  reached.fact = fact;
}

/** What a follower has not been given yet. What others wrote up to the end of the log is searched here, and not again. */
async function* missed(reached: Reached, reads: KurrentReads): AsyncIterable<readonly RecordedFact[]> {
  const end = await reads.end(LAG_MS);
  for await (const batch of reads.after(reached.place, { size: BATCH })) {
    reach(reached, batch.at(-1)!);
    yield batch;
  }
  if (isAfter(end, reached.place)) reached.place = end;
}
