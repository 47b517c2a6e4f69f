import type { Clock } from '#kernel/clock';
import { KeyedQueue } from '#kernel/keyed-queue';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';
import { START, type Position } from '#kernel/position';
import { RevisionConflict, type EventStore, type ExpectedRevision, type NewFact } from './event-store.js';
import { decisionId } from './fact-id.js';
import { LostRaces } from './lost-races.js';
import { sealFacts, type FactDraft } from './seal-facts.js';

/** How a stream's facts become the state that its deciders decide upon. `evolve` is pure and answers a new state. */
export interface Fold<S> {
  readonly initialState: S;
  evolve(state: S, fact: NewFact): S;
}

export interface AggregatesOptions<S> extends Fold<S> {
  readonly store: EventStore;
  readonly clock: Clock;
  /** How many folded states stay in memory. */
  readonly capacity: number;
}

/** A stream as far as this process knows it. */
export interface Aggregate<S> {
  readonly state: S;
  readonly revision: ExpectedRevision;
  /** The chain of its last fact. */
  readonly chain: string | undefined;
  /** The position of its last fact; START for a stream that does not exist. */
  readonly position: Position;
}

/** Who causes the facts (see FactMetadata). */
export interface Cause {
  readonly actor: string;
  readonly device?: string;
  readonly correlation?: string;
}

export interface Executed<S> {
  readonly state: S;
  /** The stream's last fact, as far as this execution knows. */
  readonly revision: ExpectedRevision;
  /** Its position: wait for it to read one's own writes. */
  readonly position: Position;
  /** The facts that this execution appended; none where nothing was left to do. */
  readonly facts: readonly NewFact[];
}

export type Decide<S> = (state: S, exists: boolean) => readonly FactDraft[];

/**
 * Decides and appends on streams that have no worker of their own. Folded states are kept for the streams used last; one
 * that another process has overtaken is found out by the revision and caught up, so a warm stream needs no read.
 */
export class Aggregates<S> {
  readonly #options: AggregatesOptions<S>;
  readonly #known: LruCache<string, Aggregate<S>>;
  readonly #turns = new KeyedQueue<string>();

  constructor(options: AggregatesOptions<S>) {
    this.#options = options;
    this.#known = new LruCache(options.capacity);
  }

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#known.numbers;
  }

  /** The newest state of the stream. */
  load(stream: string): Promise<Aggregate<S>> {
    return this.#turns.run(stream, () => this.#catchUp(stream));
  }

  /**
   * Lets `decide` answer the facts to append to the stream, seals and appends them. Executions on one stream take turns;
   * when another process was faster, decides again upon the newer state. A refusal (what `decide` throws), or having nothing
   * to append, only stands when it was decided upon the newest state. Throws EventStoreUnavailable where others write the stream
   * without pause.
   */
  execute(stream: string, decide: Decide<S>, cause: Cause): Promise<Executed<S>> {
    return this.#turns.run(stream, () => this.#execute(stream, decide, cause));
  }

  async #execute(stream: string, decide: Decide<S>, cause: Cause): Promise<Executed<S>> {
    let known = this.#known.get(stream);
    let newest = known === undefined;
    known ??= await this.#catchUp(stream);
    const races = new LostRaces();
    for (;;) {
      const drafts = decideOr(decide, known, newest);
      if (drafts === undefined || (drafts.length === 0 && !newest)) {
        known = await this.#catchUp(stream);
        newest = true;
        continue;
      }
      if (drafts.length === 0) return executed(known, []);
      const at = this.#options.clock.now();
      const facts = sealFacts(
        known.chain,
        drafts.map((draft) => ({ ...draft, ...cause, at, id: decisionId(draft.id, { ...cause, at }) })),
      );
      try {
        const next = await this.#append(stream, known, facts);
        return executed(next, facts);
      } catch (error) {
        if (!(error instanceof RevisionConflict)) throw error;
        await races.endure(error);
        known = await this.#catchUp(stream);
        newest = true;
      }
    }
  }

  async #append(stream: string, known: Aggregate<S>, facts: readonly NewFact[]): Promise<Aggregate<S>> {
    const { store, evolve } = this.#options;
    const appended = await store.append(stream, known.revision, facts);
    const next: Aggregate<S> = {
      state: facts.reduce((state, fact) => evolve(state, fact), known.state),
      revision: appended.revision,
      chain: facts.at(-1)!.metadata.chain,
      position: appended.position,
    };
    this.#known.set(stream, next);
    return next;
  }

  /** Reads what the stream holds beyond the known state. */
  async #catchUp(stream: string): Promise<Aggregate<S>> {
    const { store, evolve, initialState } = this.#options;
    const known = this.#known.get(stream);
    let { state, revision, chain, position }: Aggregate<S> = known ?? {
      state: initialState,
      revision: 'no-stream',
      chain: undefined,
      position: START,
    };
    for await (const fact of store.readStream(stream, { from: revision === 'no-stream' ? 0 : revision + 1 })) {
      state = evolve(state, fact);
      ({ revision, position } = fact);
      ({ chain } = fact.metadata);
    }
    if (known !== undefined && known.revision === revision) return known;
    const newest: Aggregate<S> = { state, revision, chain, position };
    if (revision !== 'no-stream') this.#known.set(stream, newest);
    return newest;
  }
}

function executed<S>({ state, revision, position }: Aggregate<S>, facts: readonly NewFact[]): Executed<S> {
  return { state, revision, position, facts };
}

/** What `decide` answers; undefined where it refuses upon a state that may be old. */
function decideOr<S>(decide: Decide<S>, known: Aggregate<S>, newest: boolean): readonly FactDraft[] | undefined {
  try {
    return decide(known.state, known.revision !== 'no-stream');
  } catch (error) {
    if (newest) throw error;
    return undefined;
  }
}
