import { setTimeout as delay } from 'node:timers/promises';
import type { EventStore, RecordedFact } from '#event-store/event-store';
import { KeyedQueue } from '#kernel/keyed-queue';
import { messageOf } from '#kernel/message-of';
import { type Position, START } from '#kernel/position';
import { ToldFailures } from '../told-failures.js';
import type { EffectLetter } from './effect-facts.js';
import type { Effect } from './effect.js';
import { EffectProgress, type FactPlace } from './effect-progress.js';
import { EffectTries, type Tried, type Reason, type TryParts } from './effect-tries.js';

/** The views as the log is followed: where they are, the wait for a position, and whether they can be reached and count. */
export interface FollowedViews {
  readonly position: Position;
  readonly areThere: boolean;
  whenProcessed(position: Position): Promise<void>;
  /** As `Views.confirm`. */
  confirm(): Promise<void>;
}

export interface LaneParts extends TryParts {
  readonly store: Pick<EventStore, 'readAll' | 'readStream' | 'head'>;
  readonly live: FollowedViews;
  /** Something was done: it should be noted soon. */
  readonly onDone: () => void;
  readonly onRunning: (fact: RecordedFact, running: Promise<void>) => void;
  /** Notes that a dead letter is none any more. */
  readonly settle: (letter: EffectLetter) => Promise<void>;
}

/** Under way at once; beyond it the lane stops listening and reads on in the log when there is room again. */
const MOST_UNFINISHED = 1_000;
/** Remembered while an early one is being tried again and again. */
const MOST_REMEMBERED = 10_000;
/** How long a stop waits for effects under way; those that are not done begin again with the next start. */
const STOP_MS = 2_000;
/** Facts without any effect after which it is worth a mark that they need not be looked at again. */
const FACTS_PER_MARK = 10_000;

/**
 * Runs one effect, beside all others and at its own pace. It hears of facts as the live projections pass them, and reads the log
 * where it has not heard of some: those before the start, and those that came while too much was under way.
 */
export class EffectLane {
  readonly #progress = new EffectProgress();
  readonly #queue = new KeyedQueue<string>();
  readonly #stopping = new AbortController();
  readonly #tries: EffectTries;
  readonly #failures: ToldFailures;
  readonly #running = new Set<Promise<void>>();
  /** The facts of dead letters that are being tried again. */
  readonly #retried = new Set<string>();
  /** Everything up to here was looked at. */
  #position: Position = START;
  /** Whether it takes what it hears; else it is reading the log. */
  #listens = false;
  #sinceMark = 0;
  /** Whether it has begun something since the last mark. */
  #isDirty = false;
  #wake: () => void = () => {};
  #hasBegun = false;

  constructor(
    readonly effect: Effect,
    private readonly parts: LaneParts,
  ) {
    this.#tries = new EffectTries(effect, parts, this.#stopping.signal);
    this.#failures = new ToldFailures(parts.log, `The effect ${effect.name}`);
  }

  /** Why it cannot go on, in one line. */
  get failure(): string | undefined {
    return this.#failures.told;
  }

  /** Goes on after a position; reads beside the caller. */
  start(after: Position): void {
    this.#position = after;
    this.#track(this.#catchUp());
  }

  /** Begins nothing more and waits a little for what is under way. The projections must still be running. */
  async stop(): Promise<void> {
    if (!this.#isStopped) this.effect.end?.();
    this.#stopping.abort();
    this.#wake();
    await Promise.race([Promise.all(this.#running), delay(STOP_MS, undefined, { ref: false })]);
  }

  /** The live projections have passed these facts. */
  hear(facts: readonly RecordedFact[]): void {
    if (!this.#listens || this.#isStopped) return;
    this.#take(facts);
    if (this.#hasRoom()) return;
    this.#listens = false;
    this.#track(this.#catchUp());
  }

  /** Up to which fact everything is done; undefined where that is as at the start. */
  get passed(): FactPlace | undefined {
    return this.#progress.passed;
  }

  /** Whether there is something to note: an effect has begun since the last mark, or there were many facts. */
  get isDue(): boolean {
    return this.#isDirty || this.#sinceMark >= FACTS_PER_MARK;
  }

  get waiting(): number {
    return this.#progress.unfinished + this.#retried.size;
  }

  get waitingSince(): number | undefined {
    return this.#progress.waitingSince;
  }

  /** What is passed is about to be noted. */
  beginMark(): void {
    this.#sinceMark = 0;
    this.#isDirty = this.#progress.size > 0;
  }

  /** It could not be noted. */
  failMark(): void {
    this.#isDirty = true;
  }

  /** Tries a dead letter again, after what waits of its key, unless that is under way. */
  retry(letter: EffectLetter): void {
    if (this.#retried.has(letter.fact)) return;
    this.#retried.add(letter.fact);
    const running = this.#queue
      .run(letter.key, () => this.#tryLetter(letter))
      .catch((error: unknown) => this.parts.log.error(`${this.effect.name}: ${messageOf(error)}`))
      .finally(() => this.#retried.delete(letter.fact));
    this.#track(running);
  }

  async #tryLetter(letter: EffectLetter): Promise<void> {
    const fact = await this.#find(letter);
    if (this.#isStopped) return;
    if (fact === undefined) {
      this.parts.log.warn(
        `${this.effect.name}: revision ${letter.revision} of ${letter.stream} is gone: nothing follows`,
      );
    } else {
      const key = this.#keyOf(fact);
      const tried =
        key === undefined
          ? 'idle'
          : await (typeof key === 'string' ? this.#tries.run(fact, key) : this.#tries.giveUp(fact, letter.key, key));
      if (tried === 'left' || tried === 'given-up') return;
    }
    await this.#tries.untilNoted(() => this.parts.settle(letter));
  }

  async #find({ fact, stream, revision }: EffectLetter): Promise<RecordedFact | undefined> {
    let found: RecordedFact | undefined;
    await this.#tries.untilNoted(async () => {
      for await (const each of this.parts.store.readStream(stream, { from: revision, limit: 1 })) found = each;
    });
    return found?.id === fact ? found : undefined;
  }

  /** Reads the log until what is heard next is what comes next. */
  async #catchUp(): Promise<void> {
    const { store, live } = this.parts;
    while (!this.#isStopped) {
      try {
        // Views that are made anew are no place to begin at.
        await live.whenProcessed(this.#position);
        if (this.#isStopped) return;
        if (!this.#hasBegun) await this.effect.begin?.(this.#position);
        this.#hasBegun = true;
        if (this.#isStopped) return this.effect.end?.();
        for await (const facts of store.readAll({ after: this.#position })) {
          // An effect reads the views, and must find the fact there.
          await live.whenProcessed(facts.at(-1)!.position);
          if (this.#isStopped) return;
          this.#take(facts);
          while (!this.#hasRoom() && !this.#isStopped) await new Promise<void>((wake) => (this.#wake = wake));
          if (this.#isStopped) return;
        }
        this.#failures.end();
        if (this.#position >= live.position) {
          this.#listens = true;
          return;
        }
      } catch (error) {
        if (this.#isStopped) return;
        await this.#tries.pause(this.#failures.note(error, this.#position));
      }
    }
  }

  get #isStopped(): boolean {
    return this.#stopping.signal.aborted;
  }

  #hasRoom(): boolean {
    return this.#progress.unfinished < MOST_UNFINISHED && this.#progress.size < MOST_REMEMBERED;
  }

  #take(facts: readonly RecordedFact[]): void {
    for (const fact of facts) {
      if (fact.position <= this.#position) continue;
      this.#position = fact.position;
      this.#sinceMark++;
      const { stream, revision, position, metadata } = fact;
      const place = { stream, revision, position, at: metadata.at };
      const key = this.#keyOf(fact);
      if (typeof key === 'string') this.#begin(fact, place, key, () => this.#tries.run(fact, key));
      else if (key !== undefined)
        this.#begin(fact, place, fact.stream, () => this.#tries.giveUp(fact, fact.stream, key));
      this.#progress.take(place);
    }
  }

  /** What reads a fact is pure: what it throws once it throws again. */
  #keyOf(fact: RecordedFact): string | Reason | undefined {
    try {
      return this.effect.keyOf(fact);
    } catch (error) {
      return { error: messageOf(error), tries: 1 };
    }
  }

  #begin(fact: RecordedFact, place: FactPlace, key: string, task: () => Promise<Tried>): void {
    const entry = this.#progress.begin(place);
    this.#isDirty = true;
    const { handsOver = false } = this.effect;
    const running = (handsOver ? task() : this.#queue.run(key, task)).then((tried) => {
      if (tried === 'left') return;
      this.#progress.end(entry);
      this.#wake();
      // What was done is noted at once, lest it be done again; that there was nothing to do can be found out again.
      if (tried === 'done') this.parts.onDone();
    });
    this.#track(running);
    if (!handsOver) this.parts.onRunning(fact, running);
  }

  #track(running: Promise<void>): void {
    this.#running.add(running);
    void running.finally(() => this.#running.delete(running));
  }
}
