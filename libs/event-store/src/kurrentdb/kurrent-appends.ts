import type {
  AppendResult,
  AppendStreamState,
  BinaryEventData,
  EventData,
  KurrentDBClient,
  WrongExpectedVersionError,
} from '@kurrent/kurrentdb-client';
import {
  RevisionConflict,
  type Appended,
  type EventStore,
  type ExpectedRevision,
  type NewFact,
} from '../event-store.js';
import { AppendTooLarge } from '../event-store-errors.js';
import { isKnown, positionOfCommit } from './commit-position.js';
import { eventOf } from './kurrent-facts.js';
import { RenewableClient } from './renewable-client.js';
import type { Retries } from './retries.js';
import type { StreamNames } from './stream-names.js';
import { errorKind, isTransient } from './transient.js';
import { ServerSilent } from './until-silent.js';

type Library = typeof import('@kurrent/kurrentdb-client');

/** What takes longer is taken for lost, and asked for again. */
const APPEND_TIMEOUT_MS = 2500;
const LOOKS = 5;

/** Appends to the server, through a client of their own. */
export class KurrentAppends {
  readonly #client: RenewableClient;

  constructor(
    private readonly library: Library,
    private readonly names: StreamNames,
    connect: () => KurrentDBClient,
    private readonly retries: Retries,
    private readonly readStream: EventStore['readStream'],
  ) {
    this.#client = new RenewableClient(connect, true);
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  /** As EventStore.append. */
  async append(stream: string, expected: ExpectedRevision, facts: readonly NewFact[]): Promise<Appended> {
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

  /** Says in the stream of erasures what is gone. */
  async noteErasure(event: BinaryEventData): Promise<void> {
    await this.#try(this.names.erasures, [event], this.library.ANY);
  }

  /** Tells the server how to keep a stream (`KurrentReads.metadataOf`). */
  async writeMetadata(stream: string, metadata: object): Promise<void> {
    const event = this.library.jsonEvent({ type: '$metadata', data: { ...metadata } });
    await this.#try(`$$${this.names.toServer(stream)}`, [event], this.library.ANY);
  }

  #tryToAppend(stream: string, expected: ExpectedRevision, facts: readonly NewFact[]): Promise<AppendResult> {
    const streamState = expected === 'no-stream' ? this.library.NO_STREAM : BigInt(expected);
    return this.#try(this.names.toServer(stream), facts.map(eventOf), streamState);
  }

  /** Safe to try again without knowing what became of the first try: the same ids at the same place are the same facts. */
  #try(name: string, events: EventData[], streamState: AppendStreamState): Promise<AppendResult> {
    return this.retries.retry('append', async (patience) => {
      const client = this.#client.current;
      // From the third on each try may take longer: a server that is only slow is not asked for the same ever more often.
      const timeout = Math.min(APPEND_TIMEOUT_MS * Math.max(1, patience.failures), patience.leftMs);
      // By then the server carries it out or not at all. It is told as a time of day, and its clock may not be ours.
      const deadline = Math.max(patience.leftMs, APPEND_TIMEOUT_MS);
      try {
        return await inTime(client.appendToStream(name, events, { streamState, deadline }), timeout);
      } catch (error) {
        // The library looks for a leader again after an error, but does not find out that a node is dead which says nothing.
        if (isSilence(error) || (isTransient(error) && patience.failures > 1)) this.#client.renew(client);
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
