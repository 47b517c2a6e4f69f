import { randomUUID } from 'node:crypto';
import type { BinaryEventData, ResolvedEvent } from '@kurrent/kurrentdb-client';
import { SharedRuns } from '#kernel/shared-runs';
import type { RecordedFact } from '../event-store.js';
import { eraseTail } from '../seal-facts.js';
import { errorKind } from './transient.js';

/** Another tail takes the place of a fact's own. */
const ERASED = 'erased';
/** The first facts of a stream are gone. */
const TRUNCATED = 'truncated';

interface Erased {
  readonly stream: string;
  readonly revision: number;
  readonly tail: string;
}

interface Truncated {
  readonly stream: string;
  readonly before: number;
}

/** What a stream lacks. */
interface Lack {
  before: number;
  readonly tails: Map<number, string>;
}

/** Reads the events of the stream of erasures from a revision on. */
type Read = (from: number) => AsyncIterable<ResolvedEvent>;

/**
 * What was erased and truncated on a server. Nothing that a server has can be written anew, so both are events themselves, in a stream
 * beside those of the facts; whoever reads through this is shown the facts as they are after them. It is all held in memory, a few
 * hundred bytes for each fact that was erased.
 */
export class KurrentErasures {
  readonly #lacks = new Map<string, Lack>();
  #next = 0;
  /** One that is under way may have passed the end already. */
  readonly #readings = new SharedRuns(() => this.#readOn());

  constructor(
    /** What the stream of erasures is called on the server: no fact is ever in it. */
    readonly streamOnServer: string,
    private readonly read: Read,
  ) {}

  static erased(stream: string, revision: number, tail: string): BinaryEventData {
    return eventOf(ERASED, { stream, revision, tail } satisfies Erased);
  }

  static truncated(stream: string, before: number): BinaryEventData {
    return eventOf(TRUNCATED, { stream, before } satisfies Truncated);
  }

  /** Settles when all is known that was erased before the call, in whatever process. */
  catchUp(): Promise<void> {
    return this.#readings.run();
  }

  /** Takes what is told of the stream of erasures, perhaps not for the first time; false where the event is of another stream. */
  take({ event }: ResolvedEvent): boolean {
    if (event?.streamId !== this.streamOnServer) return false;
    const place = Number(event.revision);
    if (place < this.#next) return true;
    if (place === this.#next) this.#next++;
    const text = Buffer.from(event.data as Uint8Array).toString('utf8');
    if (event.type === ERASED) {
      const { stream, revision, tail } = JSON.parse(text) as Erased; // written by `erased`
      this.#lackOf(stream).tails.set(revision, tail);
    } else {
      const { stream, before } = JSON.parse(text) as Truncated; // written by `truncated`
      const lack = this.#lackOf(stream);
      lack.before = Math.max(lack.before, before);
    }
    return true;
  }

  /** The first revision that a stream still has. */
  firstOf(stream: string): number {
    return this.#lacks.get(stream)?.before ?? 0;
  }

  /** The fact as it is now; undefined where it is gone. */
  apply(fact: RecordedFact): RecordedFact | undefined {
    const lack = this.#lacks.get(fact.stream);
    if (lack === undefined) return fact;
    if (fact.revision < lack.before) return undefined;
    const tail = lack.tails.get(fact.revision);
    return tail === undefined ? fact : eraseTail(fact, tail);
  }

  async #readOn(): Promise<void> {
    try {
      for await (const event of this.read(this.#next)) this.take(event);
    } catch (error) {
      if (errorKind(error) !== 'stream-not-found') throw error;
    }
  }

  #lackOf(stream: string): Lack {
    let lack = this.#lacks.get(stream);
    if (lack === undefined) this.#lacks.set(stream, (lack = { before: 0, tails: new Map() }));
    return lack;
  }
}

function eventOf(type: string, body: Erased | Truncated): BinaryEventData {
  const data = new TextEncoder().encode(JSON.stringify(body));
  return { id: randomUUID(), type, contentType: 'application/octet-stream', data, metadata: undefined };
}
