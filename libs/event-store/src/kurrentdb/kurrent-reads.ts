import type { KurrentDBClient, ResolvedEvent } from '@kurrent/kurrentdb-client';
import { START, type Position } from '#kernel/position';
import type { RecordedFact } from '../event-store.js';
import { commitOf, isAfter, type Place, placeOf } from './commit-position.js';
import { KurrentErasures } from './kurrent-erasures.js';
import { factOf } from './kurrent-facts.js';
import { KurrentFilters, type Library } from './kurrent-filters.js';
import { RenewableClient } from './renewable-client.js';
import type { StreamNames } from './stream-names.js';
import { errorKind, isTransient } from './transient.js';
import { ServerSilent, untilSilent } from './until-silent.js';

/** The last fact up to a place. */
interface Known {
  readonly fact: RecordedFact | undefined;
  readonly upTo: Place;
}

/** So many facts may have come since the end was looked for: with more of them the last is found sooner from the end. */
const FEW = 100;
/** A batch is no longer than so many UTF-16 units, or one fact: some have a megabyte. */
const MOST_TEXT = 4_000_000;
/** For how long the next message of a reading may be out. */
const SILENCE_MS = 5000;
/** For how long a server that is there may search what others wrote: each search that takes longer has twice the time. */
const LEAST_SEARCH_MS = 20_000;
const MOST_SEARCH_MS = 160_000;

/**
 * Single readings of the server, each of which may fail. They go through a client of their own, that is made anew after any
 * error that may pass and after any silence: the library reads through a part that does not recover by itself.
 */
export class KurrentReads {
  readonly #client: RenewableClient;
  /** Of the leader: another node may not have yet what was just written. */
  readonly #options = { requiresLeader: true };
  #known: Known | undefined;
  #searchMs = LEAST_SEARCH_MS;
  /** What is read here is as it is after them. Whoever begins to read catches up first. */
  readonly erasures: KurrentErasures;
  /** What is asked of the server beside it. */
  readonly ours: KurrentFilters;

  constructor(
    private readonly library: Library,
    private readonly names: StreamNames,
    connect: () => KurrentDBClient,
  ) {
    this.#client = new RenewableClient(connect, false);
    this.ours = new KurrentFilters(library, names);
    this.erasures = new KurrentErasures(names.erasures, (from) => this.#erasuresFrom(from));
  }

  async *#erasuresFrom(from: number): AsyncIterable<ResolvedEvent> {
    const client = this.#client.current;
    const events = client.readStream(this.names.erasures, { ...this.#options, fromRevision: BigInt(from) });
    yield* this.#events(client, untilSilent(events, SILENCE_MS));
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  /** Tells that the server was lost elsewhere: the next reading does not try the old way. */
  suspect(): void {
    this.#client.renew(this.#client.current);
  }

  /** The facts of a stream from a revision on, as they are now. `leftMs`: a message that takes longer comes too late. */
  async *stream(
    stream: string,
    { from, backwards, limit, leftMs }: { from?: number; backwards: boolean; limit: number; leftMs: number },
  ): AsyncGenerator<RecordedFact, void> {
    const { START: FIRST, END, FORWARDS, BACKWARDS } = this.library;
    // Both are asked at once: it takes no longer than the slower of them.
    const known = this.erasures.catchUp();
    known.catch(() => {});
    const client = this.#client.current;
    const events = untilSilent(
      client.readStream(this.names.toServer(stream), {
        ...this.#options,
        direction: backwards ? BACKWARDS : FORWARDS,
        fromRevision: from === undefined ? (backwards ? END : FIRST) : BigInt(from),
        maxCount: limit === Infinity ? undefined : limit,
      }),
      quietMs(leftMs),
    );
    let isKnown = false;
    for await (const fact of this.#facts(this.#events(client, events))) {
      if (!isKnown) await known;
      isKnown = true;
      const now = this.erasures.apply(fact);
      if (now !== undefined) yield now;
    }
  }

  /** The last fact of all. What others wrote behind it is searched once, and not again by the next call. */
  async last(leftMs: number): Promise<RecordedFact | undefined> {
    const upTo = await this.end(leftMs);
    await this.erasures.catchUp();
    const known = (await this.#knownSince(this.#known, upTo, leftMs)) ?? { fact: await this.#searchLast(leftMs), upTo };
    this.#known = known;
    return known.fact && this.erasures.apply(known.fact);
  }

  /** The last fact, where it is known for some place before and only few have come since. */
  async #knownSince(known: Known | undefined, upTo: Place, leftMs: number): Promise<Known | undefined> {
    if (known === undefined || isAfter(known.upTo, upTo)) return undefined;
    if (!isAfter(upTo, known.upTo)) return known;
    let { fact } = known;
    let count = 0;
    for await (const each of this.#search(leftMs, (client) =>
      client.readAll({
        ...this.#options,
        fromPosition: this.ours.from(known.upTo),
        maxCount: FEW,
        filter: this.ours.filter(),
      }),
    )) {
      count++;
      fact = each;
    }
    return count < FEW ? { fact, upTo } : undefined;
  }

  async #searchLast(leftMs: number): Promise<RecordedFact | undefined> {
    const { BACKWARDS, END } = this.library;
    const facts = this.#search(leftMs, (client) =>
      client.readAll({
        ...this.#options,
        direction: BACKWARDS,
        fromPosition: END,
        maxCount: 1,
        filter: this.ours.filter(),
      }),
    );
    for await (const fact of facts) return fact;
    return undefined;
  }

  /** How the server is told to keep a stream: with the server's own keys, some of which operators may have set. */
  async metadataOf(stream: string): Promise<object> {
    const { BACKWARDS, END } = this.library;
    const client = this.#client.current;
    const name = `$$${this.names.toServer(stream)}`;
    try {
      const options = { ...this.#options, direction: BACKWARDS, fromRevision: END, maxCount: 1 } as const;
      for await (const { event } of this.#events(client, untilSilent(client.readStream(name, options), SILENCE_MS))) {
        if (event?.isJson === true) return event.data as object;
      }
    } catch (error) {
      if (errorKind(error) !== 'stream-not-found') throw error;
    }
    return {};
  }

  /** Where the log of the server ends, whoever wrote what is there. */
  async end(leftMs: number): Promise<Place> {
    const client = this.#client.current;
    for await (const { event } of this.#events(client, untilSilent(this.#readEnd(client), quietMs(leftMs)))) {
      if (event?.position !== undefined) return event.position;
    }
    return placeOf(START);
  }

  #readEnd(client: KurrentDBClient): AsyncIterable<ResolvedEvent> {
    const { BACKWARDS, END } = this.library;
    return client.readAll({ ...this.#options, direction: BACKWARDS, fromPosition: END, maxCount: 1 });
  }

  /** The fact at a position; undefined where there is none. */
  async at(position: Position): Promise<RecordedFact | undefined> {
    const facts = this.#search(SILENCE_MS, (client) =>
      client.readAll({
        ...this.#options,
        fromPosition: this.ours.from(placeOf(position)),
        maxCount: 1,
        filter: this.ours.filter(),
      }),
    );
    for await (const fact of facts) return fact.position === position ? fact : undefined;
    return undefined;
  }

  /** The very same fact; undefined where the log does not have it. */
  async find(given: RecordedFact): Promise<RecordedFact | undefined> {
    const { stream, revision, position, metadata } = given;
    await this.erasures.catchUp();
    // It was taken away: nobody can tell any more, but whoever did it knew the log as it is.
    if (revision < this.erasures.firstOf(stream)) return given;
    const facts = this.stream(stream, { from: revision, backwards: false, limit: 1, leftMs: SILENCE_MS });
    try {
      for await (const fact of facts) {
        return fact.position === position && fact.metadata.chain === metadata.chain ? fact : undefined;
      }
    } catch (error) {
      if (errorKind(error) !== 'stream-not-found') throw error;
    }
    return undefined;
  }

  /** The facts after a place in batches, up to `end` or to where the log ends. The server counts that place in, we do not. */
  async *after(
    after: Place,
    { end, size, prefix }: { end?: Position; size: number; prefix?: string },
  ): AsyncIterable<readonly RecordedFact[]> {
    let batch: RecordedFact[] = [];
    let text = 0;
    await this.erasures.catchUp();
    const facts = this.#search(SILENCE_MS, (client) =>
      client.readAll({ ...this.#options, fromPosition: this.ours.from(after), filter: this.ours.filter(prefix) }),
    );
    for await (const fact of facts) {
      if (commitOf(fact.position) <= after.commit) continue;
      if (end !== undefined && fact.position > end) break;
      batch.push(fact);
      text += fact.data.length;
      if (batch.length >= size || text >= MOST_TEXT) {
        yield* this.#asNow(batch);
        [batch, text] = [[], 0];
      }
      // What others wrote behind it need not be searched.
      if (fact.position === end) break;
    }
    yield* this.#asNow(batch);
  }

  /** Facts as they are when they are handed out; nothing where all are gone. */
  *#asNow(facts: readonly RecordedFact[]): Iterable<readonly RecordedFact[]> {
    const now = facts.map((fact) => this.erasures.apply(fact)).filter((fact) => fact !== undefined);
    if (now.length > 0) yield now;
  }

  /** A reading through a filter: what others wrote is searched for it. */
  async *#search(
    leftMs: number,
    read: (client: KurrentDBClient) => AsyncIterable<ResolvedEvent>,
  ): AsyncGenerator<RecordedFact, void> {
    const client = this.#client.current;
    const isThere = async (): Promise<void> => {
      for await (const _ of this.#readEnd(client)) return;
    };
    const search = { isThere, mostMs: this.#searchMs };
    try {
      yield* this.#facts(this.#events(client, untilSilent(read(client), quietMs(leftMs), search)));
      this.#searchMs = LEAST_SEARCH_MS;
    } catch (error) {
      if (error instanceof ServerSilent) this.#searchMs = Math.min(search.mostMs * 2, MOST_SEARCH_MS);
      throw error;
    }
  }

  async *#facts(events: AsyncIterable<ResolvedEvent>): AsyncGenerator<RecordedFact, void> {
    for await (const event of events) {
      const fact = factOf(event, this.names.fromServer);
      if (fact !== undefined) yield fact;
    }
  }

  async *#events(client: KurrentDBClient, events: AsyncIterable<ResolvedEvent>): AsyncGenerator<ResolvedEvent, void> {
    try {
      yield* events;
    } catch (error) {
      // That is an answer like any other.
      if (errorKind(error) === 'stream-not-found') throw error;
      this.#known = undefined;
      // A client that is told who leads goes there by itself.
      if (isTransient(error) && errorKind(error) !== 'not-leader') this.#client.renew(client);
      throw error;
    }
  }
}

function quietMs(leftMs: number): number {
  return Math.min(SILENCE_MS, leftMs);
}
