import type { KurrentDBClient, ResolvedEvent } from '@kurrent/kurrentdb-client';
import type { Position } from '#kernel/position';
import type { RecordedFact } from '../event-store.js';
import { commitOf } from './commit-position.js';
import { factOf } from './kurrent-facts.js';
import { RenewableClient } from './renewable-client.js';
import type { StreamNames } from './stream-names.js';
import { isTransient } from './transient.js';
import { untilSilent } from './until-silent.js';

type Library = typeof import('@kurrent/kurrentdb-client');

/** How often, in multiples of 32 events that are not ours, the server tells how far it has searched. */
const CHECKPOINT_INTERVAL = 1000;
/** For how long the next message of a reading may be out. */
const SILENCE_MS = 5000;

/**
 * Single readings of the server, each of which may fail. They go through a client of their own, that is made anew after any
 * error that may pass and after any silence: the library reads through a part that does not recover by itself.
 */
export class KurrentReads {
  readonly #client: RenewableClient;

  constructor(
    private readonly library: Library,
    private readonly names: StreamNames,
    connect: () => KurrentDBClient,
  ) {
    this.#client = new RenewableClient(connect, false);
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  /** Tells that the server was lost elsewhere: the next reading does not try the old way. */
  suspect(): void {
    this.#client.renew(this.#client.current);
  }

  /** The facts of a stream from a revision on. `leftMs`: a message that takes longer comes too late. */
  stream(
    stream: string,
    { from, backwards, limit, leftMs }: { from?: number; backwards: boolean; limit: number; leftMs: number },
  ): AsyncIterable<RecordedFact> {
    const { START: FIRST, END, FORWARDS, BACKWARDS } = this.library;
    return this.#facts(leftMs, (client) =>
      client.readStream(this.names.toServer(stream), {
        direction: backwards ? BACKWARDS : FORWARDS,
        fromRevision: from === undefined ? (backwards ? END : FIRST) : BigInt(from),
        maxCount: limit === Infinity ? undefined : limit,
      }),
    );
  }

  /** The last fact of all. */
  async last(leftMs: number): Promise<RecordedFact | undefined> {
    const { BACKWARDS, END } = this.library;
    const facts = this.#facts(leftMs, (client) =>
      client.readAll({ direction: BACKWARDS, fromPosition: END, maxCount: 1, filter: this.filter() }),
    );
    for await (const fact of facts) return fact;
    return undefined;
  }

  /** The facts after a position in batches, up to `end` or to where the log ends. The server counts `after` in, we do not. */
  async *after(
    after: Position,
    { end, size, prefix }: { end?: Position; size: number; prefix?: string },
  ): AsyncIterable<readonly RecordedFact[]> {
    let batch: RecordedFact[] = [];
    const facts = this.#facts(SILENCE_MS, (client) =>
      client.readAll({ fromPosition: this.placeOf(after), filter: this.filter(prefix) }),
    );
    for await (const fact of facts) {
      if (fact.position <= after) continue;
      if (end !== undefined && fact.position > end) break;
      batch.push(fact);
      if (batch.length >= size) {
        yield batch;
        batch = [];
      }
    }
    if (batch.length > 0) yield batch;
  }

  /** For the streams of this namespace alone. */
  filter(prefix?: string) {
    return this.library.streamNameFilter({
      prefixes: [this.names.prefixOnServer(prefix)],
      checkpointInterval: CHECKPOINT_INTERVAL,
    });
  }

  /** A position as the server names it. Only what it has given: between two of its records it cannot read. */
  placeOf(position: Position) {
    const commit = commitOf(position);
    // An event is appended in one go, so that its commit and prepare positions are one.
    return commit === 0n ? this.library.START : { commit, prepare: commit };
  }

  async *#facts(
    leftMs: number,
    read: (client: KurrentDBClient) => AsyncIterable<unknown>,
  ): AsyncGenerator<RecordedFact, void> {
    const client = this.#client.current;
    try {
      for await (const event of untilSilent(read(client), Math.min(SILENCE_MS, leftMs))) {
        const fact = factOf(event as ResolvedEvent, this.names.fromServer);
        if (fact !== undefined) yield fact;
      }
    } catch (error) {
      if (isTransient(error)) this.#client.renew(client);
      throw error;
    }
  }
}
