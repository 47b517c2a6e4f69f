import { setMaxListeners } from 'node:events';
import type { KurrentDBClient } from '@kurrent/kurrentdb-client';
import { KeyedQueue } from '#kernel/keyed-queue';
import type { OutageWatch } from '#kernel/outage';
import { START, type Position } from '#kernel/position';
import { type Silence, waitForServer } from '#kernel/wait-for-server';
import {
  type Appended,
  type Distance,
  type EventStore,
  type ExpectedRevision,
  type NewFact,
  type ReadStreamOptions,
  type RecordedFact,
} from '../event-store.js';
import { EventStoreMisconfigured, LogPutBack, NotErasable } from '../event-store-errors.js';
import { eraseTail } from '../seal-facts.js';
import { commitOf, placeOf } from './commit-position.js';
import { holdRejections } from './hold-rejections.js';
import { judgeSilence } from './judge-silence.js';
import { KurrentAppends } from './kurrent-appends.js';
import { KurrentErasures } from './kurrent-erasures.js';
import { KurrentReads } from './kurrent-reads.js';
import { KnownEnd, KurrentSubscriptions } from './kurrent-subscription.js';
import { Retries } from './retries.js';
import { addressFor, parseServerAddress } from './server-address.js';
import { streamNamesIn, type StreamNames } from './stream-names.js';
import { errorKind, wordsOf } from './transient.js';

/** Those who watch are told when calls begin to give up, and when the first one succeeds after that. */
export interface KurrentEventStoreOptions extends OutageWatch {
  /** What our streams begin with on the server, so that several homeservers can share one; `annals` by default. */
  readonly namespace?: string;
  /** For how long the server may fail to answer before a call gives up; eight seconds by default. */
  readonly patienceMs?: number;
  /** For how long a server is waited for that is not there yet; as long as `patienceMs` by default. */
  readonly waitMs?: number;
  /** Told at once when the server is not there yet, and now and then while it is waited for. */
  readonly onWaiting?: (reason: string) => void;
  /** Told each time that a subscription finds that the log does not have any more what it has told. */
  readonly onPutBack?: (error: LogPutBack) => void;
}

const BATCH = 500;
/** No request waits longer, and a leader is elected sooner. */
const PATIENCE_MS = 8000;
/** Of who reads much: no request waits for them, and all would have to be read again. */
const LONG_PATIENCE_MS = 120_000;
/** For how long each try to find the server may take. */
const PROBE_MS = 2500;

/**
 * Connects to EventStoreDB (22.10 or later) or KurrentDB: `kurrentdb://host:2113?tls=false`. Waits for a server that is not
 * there yet. Throws EventStoreMisconfigured where waiting does not help, EventStoreUnavailable where it has not helped.
 */
export async function openKurrentEventStore(url: string, options: KurrentEventStoreOptions = {}): Promise<EventStore> {
  const address = parseServerAddress(url);
  // Loaded here only: the client and its native part cost time and memory that an embedded log need not pay.
  const library = await import('@kurrent/kurrentdb-client');
  const store = construct(() => new KurrentEventStore(library, url, options), address.name);
  try {
    const { patienceMs = PATIENCE_MS, waitMs = patienceMs, onWaiting } = options;
    const judge = (error: unknown): Promise<Silence> => judgeSilence(address, error);
    await waitForServer(() => store.probe(), judge, { waitMs, onWaiting });
  } catch (error) {
    await store.close();
    throw error;
  }
  return store;
}

/** The library reads the whole of the address, and the files that it names, before it connects. Its errors hold the password. */
function construct(make: () => KurrentEventStore, name: string): KurrentEventStore {
  try {
    return make();
  } catch (error) {
    throw new EventStoreMisconfigured(`The event store at ${name}: ${wordsOf(error)}`);
  }
}

/** EventStore upon a server: one event a fact; a position is the event's commit position. */
class KurrentEventStore implements EventStore {
  readonly #names: StreamNames;
  readonly #reads: KurrentReads;
  readonly #subscriptions: KurrentSubscriptions;
  readonly #writer: KurrentAppends;
  readonly #end = new KnownEnd();
  readonly #closing = new AbortController();
  readonly #appends = new Set<Promise<Appended>>();
  readonly #erasing = new KeyedQueue<string>();
  readonly #retries: Retries;

  constructor(
    library: typeof import('@kurrent/kurrentdb-client'),
    url: string,
    private readonly options: KurrentEventStoreOptions,
  ) {
    const connect = (part: 'javascript' | 'native') => {
      const to = addressFor(part, url);
      return (): KurrentDBClient => holdRejections(library.KurrentDBClient.connectionString(to));
    };
    // Every call that waits for its next try listens.
    setMaxListeners(0, this.#closing.signal);
    this.#retries = new Retries(options.patienceMs ?? PATIENCE_MS, this.#closing.signal, options);
    this.#names = streamNamesIn(options.namespace ?? 'annals');
    this.#reads = new KurrentReads(library, this.#names, connect('native'));
    this.#subscriptions = new KurrentSubscriptions(connect('javascript'));
    const readStream: EventStore['readStream'] = (...args) => this.readStream(...args);
    this.#writer = new KurrentAppends(library, this.#names, connect('javascript'), this.#retries, readStream);
  }

  /** One try to read. Throws as it comes. */
  async probe(): Promise<void> {
    await this.#reads.last(PROBE_MS);
  }

  async append(stream: string, expected: ExpectedRevision, facts: readonly NewFact[]): Promise<Appended> {
    this.#checkOpen();
    if (stream === '') throw new RangeError('Not a stream name: it is empty');
    if (facts.length === 0) throw new RangeError(`Nothing to append to ${stream}`);
    const appending = this.#writer.append(stream, expected, facts);
    this.#appends.add(appending);
    try {
      const appended = await appending;
      this.#end.note(appended.position);
      return appended;
    } finally {
      this.#appends.delete(appending);
    }
  }

  /** One after another of each fact, for the last one counts. */
  erase(stream: string, revision: number, tail: string): Promise<void> {
    return this.#erasing.run(`${revision} ${stream}`, () => this.#erase(stream, revision, tail));
  }

  async #erase(stream: string, revision: number, tail: string): Promise<void> {
    const fact = await this.#find(stream, revision);
    if (fact === undefined) throw new NotErasable(`${stream} has no revision ${revision}`);
    if (eraseTail(fact, tail) === fact) return;
    await this.#writer.noteErasure(KurrentErasures.erased(stream, revision, tail));
    await this.#catchUp();
  }

  async truncate(stream: string, before: number): Promise<void> {
    await this.#catchUp();
    const first = this.#reads.erasures.firstOf(stream);
    if (before > first || first === 0) {
      if ((await this.#find(stream, before)) === undefined) throw new RangeError(`${stream} has no revision ${before}`);
      if (before === 0) return;
      await this.#writer.noteErasure(KurrentErasures.truncated(stream, before));
      await this.#catchUp();
    }
    // So that the server can let go of the bytes too, when it is told to scavenge.
    const metadata = await this.#retries.retry('read', () => this.#reads.metadataOf(stream));
    await this.#writer.writeMetadata(stream, { ...metadata, $tb: Math.max(before, first) });
  }

  #catchUp(): Promise<void> {
    this.#checkOpen();
    return this.#retries.retry('read', () => this.#reads.erasures.catchUp());
  }

  async #find(stream: string, revision: number): Promise<RecordedFact | undefined> {
    for await (const fact of this.readStream(stream, { from: revision, limit: 1 })) {
      return fact.revision === revision ? fact : undefined;
    }
    return undefined;
  }

  async *readStream(stream: string, options: ReadStreamOptions = {}): AsyncIterable<RecordedFact> {
    this.#checkOpen();
    const { backwards = false } = options;
    let { from, limit = Infinity } = options;
    const patience = this.#retries.patience('read');
    while (limit > 0 && (from === undefined || from >= 0)) {
      try {
        for await (const fact of this.#reads.stream(stream, { from, backwards, limit, leftMs: patience.leftMs })) {
          patience.renew();
          limit--;
          from = fact.revision + (backwards ? -1 : 1);
          yield fact;
        }
        this.#retries.noteSuccess('read');
        // What the server has of it before that counts for the limit.
        const first = this.#reads.erasures.firstOf(stream);
        if (backwards || (from ?? 0) >= first) return;
        from = first;
      } catch (error) {
        if (errorKind(error) === 'stream-not-found') return this.#retries.noteSuccess('read');
        await this.#retries.endure('read', patience, error);
      }
    }
  }

  async *readAll(options: { after: Position; batchSize?: number }): AsyncIterable<readonly RecordedFact[]> {
    yield* this.#readAll(options.after, options.batchSize ?? BATCH);
  }

  async *#readAll(from: Position, size: number, prefix?: string): AsyncIterable<readonly RecordedFact[]> {
    this.#checkOpen();
    const patience = this.#retries.patience('read', Math.max(LONG_PATIENCE_MS, this.#retries.patienceMs));
    let after = from;
    let end: Position | undefined;
    for (;;) {
      try {
        end ??= (await this.#reads.last(patience.leftMs))?.position ?? START;
        if (after >= end) return;
        for await (const batch of this.#reads.after(placeOf(after), { end, size, prefix })) {
          patience.renew();
          after = batch.at(-1)!.position;
          yield batch;
        }
        return;
      } catch (error) {
        await this.#retries.endure('read', patience, error);
      }
    }
  }

  async *subscribe(options: { after: Position; signal: AbortSignal }): AsyncIterable<readonly RecordedFact[]> {
    this.#checkOpen();
    const signal = AbortSignal.any([options.signal, this.#closing.signal]);
    try {
      yield* this.#subscriptions.follow(options.after, {
        reads: this.#reads,
        names: this.#names,
        end: this.#end,
        signal,
      });
    } catch (error) {
      if (error instanceof LogPutBack) this.options.onPutBack?.(error);
      throw error;
    }
  }

  async *streams(options: { prefix?: string } = {}): AsyncIterable<string> {
    // The server lists streams only through a projection that is off by default: so the first fact of each is looked for.
    for await (const batch of this.#readAll(START, BATCH, options.prefix)) {
      for (const { revision, stream } of batch) if (revision === this.#reads.erasures.firstOf(stream)) yield stream;
    }
  }

  async head(): Promise<Position> {
    return (await this.findLast())?.position ?? START;
  }

  distance(after: Position, upTo: Position): Distance {
    return { amount: Math.max(0, Number(commitOf(upTo) - commitOf(after))), unit: 'bytes' };
  }

  findLast(): Promise<RecordedFact | undefined> {
    this.#checkOpen();
    return this.#retries.retry('read', (patience) => this.#reads.last(patience.leftMs));
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    await Promise.allSettled(this.#appends);
    await Promise.all([this.#writer.close(), this.#reads.close(), this.#subscriptions.close()]);
  }

  #checkOpen(): void {
    if (this.#closing.signal.aborted) throw new Error('The event store is closed');
  }
}
