import type { Clock } from '#kernel/clock';
import { KeyedQueue } from '#kernel/keyed-queue';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';
import { START, type Position } from '#kernel/position';
import {
  RevisionConflict,
  type EventStore,
  type ExpectedRevision,
  type NewFact,
  type RecordedFact,
} from './event-store.js';
import { decideOr } from './decide-or.js';
import { decisionId } from './fact-id.js';
import { LostRaces } from './lost-races.js';
import { sealFacts, type FactDraft } from './seal-facts.js';
import { isLookDue, sayAgainWhatCounts } from './shorten-stream.js';
import type { SnapshotCodec, SnapshotStore } from './stream-snapshot.js';

/** How a stream's facts become the state that its deciders decide upon. `evolve` is pure and answers a new state. */
export interface Fold<S> {
  readonly initialState: S;
  evolve(state: S, fact: NewFact, revision: number): S;
}

export interface AggregatesOptions<S> extends Fold<S> {
  readonly store: EventStore;
  readonly clock: Clock;
  /** How many folded states stay in memory. */
  readonly capacity: number;
  /** Nothing is needed to decide but the newest fact, or where the stream ends: no other is read. */
  readonly newestOnly?: true;
  /** Of the facts of each key only the last one counts: those that others have overtaken go from the log (`sayAgainWhatCounts`). */
  readonly lastOfEach?: (fact: RecordedFact) => string;
  /** Of the facts that `lastOfEach` leaves, by their keys: which do not count any more either. */
  readonly findOver?: (counting: ReadonlyMap<string, RecordedFact>) => Iterable<string>;
  /**
   * Settles when the views have passed a position for good: what is over is let go then alone, which is after all that it took away. For streams of which views have rows
   * that none of the facts that stay would change any more.
   */
  readonly whenKept?: (position: Position) => Promise<void>;
  /** For streams that grow long: the state is kept now and then, and the facts before it are not read again. */
  readonly snapshots?: { readonly store: SnapshotStore; readonly codec: SnapshotCodec<S> };
}

/** A stream as far as this process knows it. */
export interface Aggregate<S> {
  readonly state: S;
  readonly revision: ExpectedRevision;
  /** The chain of its last fact. */
  readonly chain: string | undefined;
  /** The position of its last fact; START for a stream that does not exist. */
  readonly position: Position;
  /** The revision of its newest snapshot, as far as this process knows. */
  readonly snapshot?: number;
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

/** So many facts at most are folded behind a snapshot, and a few that came while it was written. */
const FACTS_PER_SNAPSHOT = 256;

/** `revision`: of the last fact that the state is of. */
export type Decide<S> = (state: S, exists: boolean, revision: ExpectedRevision) => readonly FactDraft[];

/**
 * Decides and appends on streams that have no worker of their own. Folded states are kept for the streams used last; one
 * that another process has overtaken is found out by the revision and caught up, so a warm stream needs no read.
 */
export class Aggregates<S> {
  readonly #options: AggregatesOptions<S>;
  readonly #known: LruCache<string, Aggregate<S>>;
  readonly #turns = new KeyedQueue<string>();
  /** What is being let go of waits for the views: meanwhile nothing is said again once more. */
  readonly #shortening = new Set<string>();

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

  /** As `execute`, for who lets go of what was before: nothing is shortened meanwhile, which would say again behind the end what counted. */
  executeLast(stream: string, decide: Decide<S>, cause: Cause): Promise<Executed<S>> {
    return this.#turns.run(stream, () => this.#execute(stream, decide, cause, true));
  }

  async #execute(stream: string, decide: Decide<S>, cause: Cause, isLast = false): Promise<Executed<S>> {
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
        if (!isLast && isLookDue(next.revision as number, facts.length)) {
          // Nobody waits for that: what is not let go now goes at the next look.
          void this.#shorten(stream, false).catch(() => {});
        }
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
    const first = appended.revision - facts.length + 1;
    return this.#learn(stream, {
      state: facts.reduce((state, fact, i) => evolve(state, fact, first + i), known.state),
      revision: appended.revision,
      chain: facts.at(-1)!.metadata.chain,
      position: appended.position,
      snapshot: known.snapshot,
    });
  }

  /**
   * Reads what the stream holds beyond the known state. Where something of that was erased all is read anew: of what another process has taken away, and the log has
   * forgotten since, it is not known any more what it was, and so was what had said it first.
   */
  async #catchUp(stream: string): Promise<Aggregate<S>> {
    const { store, evolve, initialState, newestOnly } = this.#options;
    const remembered = this.#known.get(stream);
    const known = remembered ?? (await this.#restore(stream));
    let { state, revision, chain, position }: Aggregate<S> = known ?? {
      state: initialState,
      revision: 'no-stream',
      chain: undefined,
      position: START,
    };
    const behind = { from: revision === 'no-stream' ? 0 : revision + 1 };
    for await (const fact of store.readStream(stream, newestOnly ? { backwards: true, limit: 1 } : behind)) {
      if (newestOnly && fact.revision === revision) break;
      if (remembered !== undefined && fact.metadata.erased !== undefined) {
        this.#known.delete(stream);
        return this.#catchUp(stream);
      }
      state = evolve(state, fact, fact.revision);
      ({ revision, position } = fact);
      ({ chain } = fact.metadata);
    }
    if (known !== undefined && known.revision === revision) return known;
    const newest: Aggregate<S> = { state, revision, chain, position, snapshot: known?.snapshot };
    return revision === 'no-stream' ? newest : this.#learn(stream, newest);
  }

  /** The stream as of its snapshot; undefined where there is none, or none that the log agrees with. */
  async #restore(stream: string): Promise<Aggregate<S> | undefined> {
    const { snapshots } = this.#options;
    const kept = await snapshots?.store.find(stream);
    if (snapshots === undefined || kept === undefined || kept.version !== snapshots.codec.version) return undefined;
    const { revision, chain } = kept;
    const last = await this.#factAt(stream, revision);
    if (last === undefined || last.metadata.chain !== chain) return undefined;
    try {
      const state = await snapshots.codec.restore(kept.state, (at) => this.#factAt(stream, at));
      const restored = { state, revision, chain, position: last.position, snapshot: revision };
      this.#known.set(stream, restored);
      return restored;
    } catch (error) {
      // What was kept has another shape than what is written: it was damaged, and the log has all of it.
      if (error instanceof TypeError) return undefined;
      throw error;
    }
  }

  async #factAt(stream: string, revision: number): Promise<RecordedFact | undefined> {
    for await (const fact of this.#options.store.readStream(stream, { from: revision, limit: 1 })) {
      return fact.revision === revision ? fact : undefined;
    }
    return undefined;
  }

  /** Lets go at once of all facts of a stream that others have overtaken (`lastOfEach`): nothing of them is to stay. Throws RevisionConflict. */
  shorten(stream: string): Promise<void> {
    return this.#shorten(stream, true);
  }

  /**
   * Ends a stream: `over` is said last in it, that nothing before counts any more, and the log lets go of that. Nothing is said where nothing ever was, or it was said
   * last already: what was left to let go goes all the same. `whenShown` settles once the views show the end: what rows were made of is not there after. Answers
   * whether anything was said.
   */
  async end(
    stream: string,
    over: FactDraft,
    cause: Cause,
    whenShown: (position: Position) => Promise<void> = async () => {},
  ): Promise<boolean> {
    const { store } = this.#options;
    let last: RecordedFact | undefined;
    for await (const fact of store.readStream(stream, { backwards: true, limit: 1 })) last = fact;
    const decide: Decide<S> = (_, exists, revision) => {
      const isOver = last?.type === over.type && last.revision === revision;
      return exists && !isOver ? [over] : [];
    };
    const { facts, revision, position } = await this.executeLast(stream, decide, cause);
    if (typeof revision !== 'number') return false;
    await whenShown(position);
    this.#known.delete(stream);
    await store.truncate(stream, revision);
    return facts.length > 0;
  }

  /** In turns of its own; who writes does not wait for the views. */
  async #shorten(stream: string, isWhole: boolean): Promise<void> {
    const { store, lastOfEach, findOver, whenKept } = this.#options;
    if (lastOfEach === undefined || (!isWhole && this.#shortening.has(stream))) return;
    this.#shortening.add(stream);
    try {
      const said = await this.#turns.run(stream, async () => {
        this.#known.delete(stream);
        const shortening = { findOver, saysOver: whenKept !== undefined, isWhole };
        const again = await sayAgainWhatCounts(store, stream, lastOfEach, shortening);
        if (again !== undefined) await store.truncate(stream, again.before);
        return again?.over;
      });
      if (said === undefined) return;
      await whenKept?.(said.position);
      await this.#turns.run(stream, () => store.truncate(stream, said.before));
    } finally {
      this.#shortening.delete(stream);
    }
  }

  /** Remembers how far the stream is, and begins a snapshot where enough has come behind the last one. */
  #learn(stream: string, newest: Aggregate<S>): Aggregate<S> {
    const { snapshots } = this.#options;
    const { revision, chain, state, snapshot } = newest;
    let known = newest;
    if (snapshots !== undefined && typeof revision === 'number' && chain !== undefined) {
      if (revision - (snapshot ?? 0) >= FACTS_PER_SNAPSHOT) {
        known = { ...newest, snapshot: revision };
        const { store, codec } = snapshots;
        const kept = { version: codec.version, revision, chain, state: codec.format(state) };
        // Nobody waits for it; one that is not kept costs the time of reading those facts again, until the next one is.
        void store.keep(stream, kept).catch(() => {});
      }
    }
    this.#known.set(stream, known);
    return known;
  }
}

function executed<S>({ state, revision, position }: Aggregate<S>, facts: readonly NewFact[]): Executed<S> {
  return { state, revision, position, facts };
}
