import type {
  AppendResult,
  KurrentDBClient,
  ResolvedEvent,
  WrongExpectedVersionError,
} from '@kurrent/kurrentdb-client';
import { parsePosition, START, type Position } from '#kernel/position';
import {
  RevisionConflict,
  type Appended,
  type Distance,
  type EventStore,
  type ExpectedRevision,
  type NewFact,
  type ReadStreamOptions,
  type RecordedFact,
} from '../event-store.js';
import { commitOf, positionOfCommit } from './commit-position.js';
import { eventOf, factOf } from './kurrent-facts.js';
import { takeLive } from './take-live.js';
import { streamNamesIn, type StreamNames } from './stream-names.js';
import { errorKind, isTransient, Patience } from './transient.js';

export interface KurrentEventStoreOptions {
  /** What our streams begin with on the server, so that several homeservers can share one; `annals` by default. */
  readonly namespace?: string;
  /** For how long the server may fail to answer before a call gives up; half a minute by default. */
  readonly patienceMs?: number;
}

type Client = typeof import('@kurrent/kurrentdb-client');

const BATCH = 500;
/** Live events that may wait in this process before the server is left to wait (and drops us if it takes long). */
const LIVE_BUFFER = 4000;
/** How often, in multiples of 32 events that are not ours, the server tells how far it has searched. */
const CHECKPOINT_INTERVAL = 1000;
const PATIENCE_MS = 30_000;
/** The server answers an append within ten seconds or gives up; then something in between has lost it. */
const APPEND_TIMEOUT_MS = 15_000;

/**
 * Connects to EventStoreDB (22.10 or later) or KurrentDB: `kurrentdb://host:2113?tls=false`. Throws when the server does
 * not answer in time, naming it without its credentials.
 */
export async function openKurrentEventStore(url: string, options: KurrentEventStoreOptions = {}): Promise<EventStore> {
  // Loaded here only: the client and its native part cost time and memory that an embedded log need not pay.
  const client = await import('@kurrent/kurrentdb-client');
  const store = new KurrentEventStore(client, url, options);
  try {
    await store.head();
  } catch (error) {
    await store.close();
    const name = url.replace(/\/\/[^@/]*@/, '//');
    throw new Error(`The event store at ${name} does not answer: ${(error as Error).message}`, { cause: error });
  }
  return store;
}

/** EventStore upon a server: one event a fact; a position is the event's commit position. */
class KurrentEventStore implements EventStore {
  readonly #kurrent: Client;
  readonly #client: KurrentDBClient;
  readonly #names: StreamNames;
  readonly #patienceMs: number;
  readonly #closing = new AbortController();
  readonly #appends = new Set<Promise<Appended>>();

  constructor(kurrent: Client, url: string, options: KurrentEventStoreOptions) {
    this.#kurrent = kurrent;
    this.#client = kurrent.KurrentDBClient.connectionString(url);
    this.#names = streamNamesIn(options.namespace ?? 'annals');
    this.#patienceMs = options.patienceMs ?? PATIENCE_MS;
  }

  async append(stream: string, expected: ExpectedRevision, facts: readonly NewFact[]): Promise<Appended> {
    this.#checkOpen();
    if (stream === '') throw new RangeError('Not a stream name: it is empty');
    if (facts.length === 0) throw new RangeError(`Nothing to append to ${stream}`);
    const appending = this.#append(stream, expected, facts);
    this.#appends.add(appending);
    try {
      return await appending;
    } finally {
      this.#appends.delete(appending);
    }
  }

  async #append(stream: string, expected: ExpectedRevision, facts: readonly NewFact[]): Promise<Appended> {
    const name = this.#names.toServer(stream);
    const events = facts.map(eventOf);
    const streamState = expected === 'no-stream' ? this.#kurrent.NO_STREAM : BigInt(expected);
    const revision = (expected === 'no-stream' ? -1 : expected) + facts.length;
    let result: AppendResult;
    try {
      // Safe to try again without knowing what became of the first try: the same ids at the same place are the same facts.
      result = await this.#retry(() => inTime(this.#client.appendToStream(name, events, { streamState })));
    } catch (error) {
      const kind = errorKind(error);
      if (kind === 'maximum-append-size-exceeded') throw new RangeError(tooLarge(stream, error), { cause: error });
      if (kind !== 'wrong-expected-version') throw error;
      const { actualState } = error as WrongExpectedVersionError;
      const actual = typeof actualState === 'bigint' ? Number(actualState) : 'no-stream';
      const same = await this.#findSame(stream, expected, facts);
      if (same !== undefined) return same;
      throw new RevisionConflict(stream, expected, actual);
    }
    const { position } = result;
    if (position !== undefined && result.nextExpectedRevision === BigInt(revision)) {
      return { revision, position: positionOfCommit(position.commit) };
    }
    for await (const last of this.readStream(stream, { from: revision, limit: 1 })) {
      return { revision, position: last.position };
    }
    throw new Error(`${stream} has lost what was appended`);
  }

  /** The place of the very same facts behind `expected`, if they are there. */
  async #findSame(
    stream: string,
    expected: ExpectedRevision,
    facts: readonly NewFact[],
  ): Promise<Appended | undefined> {
    let matched = 0;
    const from = expected === 'no-stream' ? 0 : expected + 1;
    for await (const { id, revision, position } of this.readStream(stream, { from, limit: facts.length })) {
      if (id !== facts[matched++]!.id) return undefined;
      if (matched === facts.length) return { revision, position };
    }
    return undefined;
  }

  async *readStream(stream: string, options: ReadStreamOptions = {}): AsyncIterable<RecordedFact> {
    this.#checkOpen();
    const { backwards = false } = options;
    let { from, limit = Infinity } = options;
    const patience = this.#patience();
    while (limit > 0 && (from === undefined || from >= 0)) {
      try {
        for await (const fact of this.#readStreamOnce(stream, from, backwards, limit)) {
          patience.renew();
          limit--;
          from = fact.revision + (backwards ? -1 : 1);
          yield fact;
        }
        return;
      } catch (error) {
        if (errorKind(error) === 'stream-not-found') return;
        await patience.endure(error);
      }
    }
  }

  async *#readStreamOnce(stream: string, from: number | undefined, backwards: boolean, limit: number) {
    const { START: FIRST, END, FORWARDS, BACKWARDS } = this.#kurrent;
    const events = this.#client.readStream(this.#names.toServer(stream), {
      direction: backwards ? BACKWARDS : FORWARDS,
      fromRevision: from === undefined ? (backwards ? END : FIRST) : BigInt(from),
      maxCount: limit === Infinity ? undefined : limit,
    });
    for await (const event of events) {
      const fact = factOf(event as ResolvedEvent, this.#names.fromServer);
      if (fact !== undefined) yield fact;
    }
  }

  async *readAll(options: { after: Position; batchSize?: number }): AsyncIterable<readonly RecordedFact[]> {
    const end = await this.head();
    const patience = this.#patience();
    let { after } = options;
    while (after < end) {
      try {
        for await (const batch of this.#readBehind(after, end, options.batchSize ?? BATCH)) {
          patience.renew();
          after = batch.at(-1)!.position;
          yield batch;
        }
        return;
      } catch (error) {
        await patience.endure(error);
      }
    }
  }

  /** Reads the log once, up to `end` or to where it ends. The server counts `after` in, we do not. */
  async *#readBehind(after: Position, end: Position | undefined, size: number, prefix?: string) {
    let batch: RecordedFact[] = [];
    const events = this.#client.readAll({
      fromPosition: this.#placeOf(after),
      filter: this.#filter(prefix),
    });
    for await (const event of events) {
      const fact = factOf(event as ResolvedEvent, this.#names.fromServer);
      if (fact === undefined || fact.position <= after) continue;
      if (end !== undefined && fact.position > end) break;
      batch.push(fact);
      if (batch.length >= size) {
        yield batch;
        batch = [];
      }
    }
    if (batch.length > 0) yield batch;
  }

  async *subscribe(options: { after: Position; signal: AbortSignal }): AsyncIterable<readonly RecordedFact[]> {
    this.#checkOpen();
    const signal = AbortSignal.any([options.signal, this.#closing.signal]);
    const patience = new Patience(Infinity, signal);
    let { after } = options;
    while (!signal.aborted) {
      try {
        // Reading is faster than subscribing until little is left to catch up.
        for await (const batch of this.#readBehind(after, undefined, BATCH)) {
          patience.renew();
          after = batch.at(-1)!.position;
          yield batch;
          if (signal.aborted) return;
        }
        for await (const batch of this.#live(after, signal)) {
          patience.renew();
          after = batch.at(-1)!.position;
          yield batch;
          if (signal.aborted) return;
        }
      } catch (error) {
        if (!isTransient(error)) throw error;
      }
      await patience.pause();
    }
  }

  /** One subscription of the server, until it is dropped or the signal aborts. */
  async *#live(after: Position, signal: AbortSignal): AsyncIterable<readonly RecordedFact[]> {
    const subscription = this.#client.subscribeToAll(
      { fromPosition: this.#placeOf(after), filter: this.#filter() },
      { highWaterMark: LIVE_BUFFER },
    );
    for await (const events of takeLive(subscription, signal, BATCH)) {
      const facts = events.map((event) => factOf(event, this.#names.fromServer)).filter((fact) => fact !== undefined);
      if (facts.length > 0) yield facts;
    }
  }

  async *streams(options: { prefix?: string } = {}): AsyncIterable<string> {
    // The server lists streams only through a projection that is off by default: so the first fact of each is looked for.
    const end = await this.head();
    for await (const batch of this.#readBehind(START, end, BATCH, options.prefix)) {
      for (const fact of batch) if (fact.revision === 0) yield fact.stream;
    }
  }

  async head(): Promise<Position> {
    return (await this.findLast())?.position ?? START;
  }

  distance(after: Position, upTo: Position): Distance {
    return { amount: Math.max(0, Number(commitOf(upTo) - commitOf(after))), unit: 'bytes' };
  }

  async findLast(): Promise<RecordedFact | undefined> {
    this.#checkOpen();
    return this.#retry(async () => {
      const { BACKWARDS, END } = this.#kurrent;
      const events = this.#client.readAll({
        direction: BACKWARDS,
        fromPosition: END,
        maxCount: 1,
        filter: this.#filter(),
      });
      for await (const event of events) {
        const fact = factOf(event as ResolvedEvent, this.#names.fromServer);
        if (fact !== undefined) return fact;
      }
      return undefined;
    });
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    await Promise.allSettled(this.#appends);
    await this.#client.dispose();
  }

  #filter(prefix?: string) {
    return this.#kurrent.streamNameFilter({
      prefixes: [this.#names.prefixOnServer(prefix)],
      checkpointInterval: CHECKPOINT_INTERVAL,
    });
  }

  #placeOf(position: Position) {
    if (parsePosition(position) === undefined) throw new RangeError(`Not a position: ${position}`);
    const commit = commitOf(position);
    // An event is appended in one go, so that its commit and prepare positions are one.
    return commit === 0n ? this.#kurrent.START : { commit, prepare: commit };
  }

  #patience(): Patience {
    return new Patience(this.#patienceMs, this.#closing.signal);
  }

  async #retry<T>(task: () => Promise<T>): Promise<T> {
    const patience = this.#patience();
    for (;;) {
      try {
        return await task();
      } catch (error) {
        await patience.endure(error);
      }
    }
  }

  #checkOpen(): void {
    if (this.#closing.signal.aborted) throw new Error('The event store is closed');
  }
}

function tooLarge(stream: string, error: unknown): string {
  const { maxAppendSize } = error as { maxAppendSize?: number };
  return `The server takes at most ${maxAppendSize} bytes at once into ${stream}: raise its max-append-size`;
}

/** Rejects with a transient error when an answer is lost. */
async function inTime<T>(answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(Object.assign(new Error('The event store has not answered in time'), { type: 'timeout' }));
    }, APPEND_TIMEOUT_MS);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}
