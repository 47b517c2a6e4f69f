import { setMaxListeners } from 'node:events';
import type { AppendResult, KurrentDBClient, WrongExpectedVersionError } from '@kurrent/kurrentdb-client';
import { Outage } from '#kernel/outage';
import { START, type Position } from '#kernel/position';
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
import { AppendTooLarge, EventStoreMisconfigured, EventStoreUnavailable } from '../event-store-errors.js';
import { commitOf, isKnown, positionOfCommit } from './commit-position.js';
import { holdRejections } from './hold-rejections.js';
import { eventOf } from './kurrent-facts.js';
import { KurrentReads } from './kurrent-reads.js';
import { KnownEnd, KurrentSubscriptions } from './kurrent-subscription.js';
import { RenewableClient } from './renewable-client.js';
import { addressFor, parseServerAddress } from './server-address.js';
import { streamNamesIn, type StreamNames } from './stream-names.js';
import { errorKind, isTransient, Patience, wordsOf } from './transient.js';
import { ServerSilent } from './until-silent.js';
import { waitForServer } from './wait-for-server.js';

/** Readings and appends are lost and come back apart: they go through clients of their own, perhaps to different nodes. */
type Way = 'append' | 'read';

export interface KurrentEventStoreOptions {
  /** What our streams begin with on the server, so that several homeservers can share one; `annals` by default. */
  readonly namespace?: string;
  /** For how long the server may fail to answer before a call gives up; eight seconds by default. */
  readonly patienceMs?: number;
  /** For how long a server is waited for that is not there yet; as long as `patienceMs` by default. */
  readonly waitMs?: number;
  /** Told at once when the server is not there yet, and now and then while it is waited for. */
  readonly onWaiting?: (reason: string) => void;
  /** Told when calls begin to give up, and when the first one succeeds after that. */
  readonly onLost?: (reason: string) => void;
  readonly onBack?: (lostMs: number) => void;
}

const BATCH = 500;
/** No request waits longer, and a leader is elected sooner. */
const PATIENCE_MS = 8000;
/** While the log is known to be lost: whoever waited for the one who found out need not wait as long again. */
const SHORT_PATIENCE_MS = 1000;
/** Of who reads much: no request waits for them, and all would have to be read again. */
const LONG_PATIENCE_MS = 120_000;
/** What takes longer is taken for lost, and asked for again. */
const APPEND_TIMEOUT_MS = 2500;
const LOOKS = 5;

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
    await waitForServer(address, () => store.probe(), { waitMs, onWaiting });
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
  readonly #writer: RenewableClient;
  readonly #noStream: typeof import('@kurrent/kurrentdb-client').NO_STREAM;
  readonly #end = new KnownEnd();
  readonly #closing = new AbortController();
  readonly #appends = new Set<Promise<Appended>>();
  readonly #outage: Outage<Way>;

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
    this.#noStream = library.NO_STREAM;
    this.#outage = new Outage(options);
    this.#names = streamNamesIn(options.namespace ?? 'annals');
    this.#reads = new KurrentReads(library, this.#names, connect('native'));
    this.#subscriptions = new KurrentSubscriptions(connect('javascript'));
    this.#writer = new RenewableClient(connect('javascript'), true);
  }

  /** One try to read. Throws as it comes. */
  async probe(): Promise<void> {
    await this.#reads.last(APPEND_TIMEOUT_MS);
  }

  async append(stream: string, expected: ExpectedRevision, facts: readonly NewFact[]): Promise<Appended> {
    this.#checkOpen();
    if (stream === '') throw new RangeError('Not a stream name: it is empty');
    if (facts.length === 0) throw new RangeError(`Nothing to append to ${stream}`);
    const appending = this.#append(stream, expected, facts);
    this.#appends.add(appending);
    try {
      const appended = await appending;
      this.#end.note(appended.position);
      return appended;
    } finally {
      this.#appends.delete(appending);
    }
  }

  async #append(stream: string, expected: ExpectedRevision, facts: readonly NewFact[]): Promise<Appended> {
    const revision = (expected === 'no-stream' ? -1 : expected) + facts.length;
    let result: AppendResult;
    try {
      result = await this.#tryToAppend(stream, expected, facts);
    } catch (error) {
      const kind = errorKind(error);
      if (kind === 'maximum-append-size-exceeded') throw tooLarge(stream, error);
      if (kind !== 'wrong-expected-version') throw error;
      const { actualState } = error as WrongExpectedVersionError;
      const actual = typeof actualState === 'bigint' ? Number(actualState) : 'no-stream';
      const same = await this.#findSame(stream, expected, facts);
      if (same !== undefined) return same;
      throw new RevisionConflict(stream, expected, actual);
    }
    const { position } = result;
    // What stands there already may be answered without its position.
    if (position !== undefined && isKnown(position.commit) && result.nextExpectedRevision === BigInt(revision)) {
      return { revision, position: positionOfCommit(position.commit) };
    }
    for await (const last of this.readStream(stream, { from: revision, limit: 1 })) {
      return { revision, position: last.position };
    }
    throw new Error(`${stream} has lost what was appended`);
  }

  /** Safe to try again without knowing what became of the first try: the same ids at the same place are the same facts. */
  #tryToAppend(stream: string, expected: ExpectedRevision, facts: readonly NewFact[]): Promise<AppendResult> {
    const name = this.#names.toServer(stream);
    const events = facts.map(eventOf);
    const streamState = expected === 'no-stream' ? this.#noStream : BigInt(expected);
    return this.#retry('append', async (patience) => {
      const client = this.#writer.current;
      // From the third on each try may take longer: a server that is only slow is not asked for the same ever more often.
      const timeout = Math.min(APPEND_TIMEOUT_MS * Math.max(1, patience.failures), patience.leftMs);
      // By then the server carries it out or not at all. It is told as a time of day, and its clock may not be ours.
      const deadline = Math.max(patience.leftMs, APPEND_TIMEOUT_MS);
      try {
        return await inTime(client.appendToStream(name, events, { streamState, deadline }), timeout);
      } catch (error) {
        // The library looks for a leader again after an error, but does not find out that a node is dead which says nothing.
        if (isSilence(error) || (isTransient(error) && patience.failures > 1)) this.#writer.renew(client);
        throw error;
      }
    });
  }

  /** The place of the very same facts after `expected`, if they are there. */
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
    const patience = this.#patience('read');
    while (limit > 0 && (from === undefined || from >= 0)) {
      try {
        for await (const fact of this.#reads.stream(stream, { from, backwards, limit, leftMs: patience.leftMs })) {
          patience.renew();
          limit--;
          from = fact.revision + (backwards ? -1 : 1);
          yield fact;
        }
        return this.#outage.noteSuccess('read');
      } catch (error) {
        if (errorKind(error) === 'stream-not-found') return this.#outage.noteSuccess('read');
        await this.#endure('read', patience, error);
      }
    }
  }

  async *readAll(options: { after: Position; batchSize?: number }): AsyncIterable<readonly RecordedFact[]> {
    yield* this.#readAll(options.after, options.batchSize ?? BATCH);
  }

  async *#readAll(from: Position, size: number, prefix?: string): AsyncIterable<readonly RecordedFact[]> {
    this.#checkOpen();
    const patience = this.#patience('read', Math.max(LONG_PATIENCE_MS, this.options.patienceMs ?? 0));
    let after = from;
    let end: Position | undefined;
    for (;;) {
      try {
        end ??= (await this.#reads.last(patience.leftMs))?.position ?? START;
        if (after >= end) return;
        for await (const batch of this.#reads.after(this.#reads.placeOf(after), { end, size, prefix })) {
          patience.renew();
          after = batch.at(-1)!.position;
          yield batch;
        }
        return;
      } catch (error) {
        await this.#endure('read', patience, error);
      }
    }
  }

  async *subscribe(options: { after: Position; signal: AbortSignal }): AsyncIterable<readonly RecordedFact[]> {
    this.#checkOpen();
    const signal = AbortSignal.any([options.signal, this.#closing.signal]);
    yield* this.#subscriptions.follow(options.after, {
      reads: this.#reads,
      names: this.#names,
      end: this.#end,
      signal,
    });
  }

  async *streams(options: { prefix?: string } = {}): AsyncIterable<string> {
    // The server lists streams only through a projection that is off by default: so the first fact of each is looked for.
    for await (const batch of this.#readAll(START, BATCH, options.prefix)) {
      for (const fact of batch) if (fact.revision === 0) yield fact.stream;
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
    return this.#retry('read', (patience) => this.#reads.last(patience.leftMs));
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    await Promise.allSettled(this.#appends);
    await Promise.all([this.#writer.close(), this.#reads.close(), this.#subscriptions.close()]);
  }

  #patience(way: Way, limitMs?: number): Patience {
    const { patienceMs = PATIENCE_MS } = this.options;
    const limit = this.#outage.isLost(way) ? Math.min(patienceMs, SHORT_PATIENCE_MS) : patienceMs;
    return new Patience(limitMs ?? limit, this.#closing.signal);
  }

  async #retry<T>(way: Way, task: (patience: Patience) => Promise<T>): Promise<T> {
    const patience = this.#patience(way);
    for (;;) {
      try {
        const result = await task(patience);
        this.#outage.noteSuccess(way);
        return result;
      } catch (error) {
        await this.#endure(way, patience, error);
      }
    }
  }

  async #endure(way: Way, patience: Patience, error: unknown): Promise<void> {
    try {
      await patience.endure(error);
    } catch (last) {
      if (last instanceof EventStoreUnavailable) this.#outage.noteLoss(way, wordsOf(error));
      // An answer is one, also where it refuses.
      else if (!isTransient(error)) this.#outage.noteSuccess(way);
      throw last;
    }
  }

  #checkOpen(): void {
    if (this.#closing.signal.aborted) throw new Error('The event store is closed');
  }
}

function isSilence(error: unknown): boolean {
  const kind = errorKind(error);
  return kind === 'timeout' || kind === 'deadline-exceeded';
}

function tooLarge(stream: string, error: unknown): AppendTooLarge {
  const { maxAppendSize = 0 } = error as { maxAppendSize?: number };
  const message = `The server takes at most ${maxAppendSize} bytes at once into ${stream}: raise its max-append-size`;
  return new AppendTooLarge(message, maxAppendSize, { cause: error });
}

/** Rejects with a transient error when an answer does not come. */
async function inTime<T>(answer: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    // Looked at several times, for what came while this process was busy must be taken first.
    let looks = 0;
    timer = setInterval(() => ++looks >= LOOKS && reject(new ServerSilent(ms)), ms / LOOKS);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearInterval(timer);
  }
}
