import { setTimeout as delay } from 'node:timers/promises';
import type { EventStore, RecordedFact } from '#event-store/event-store';
import type { Clock } from '#kernel/clock';
import { KeyedQueue } from '#kernel/keyed-queue';
import { type Position, START } from '#kernel/position';
import { RETRY_MS, type ProjectionLog } from '../runtime-parts.js';
import type { Effect, EffectStatus } from './effect.js';
import { EffectMarks } from './effect-marks.js';
import { type EffectEntry, EffectProgress } from './effect-progress.js';

export interface EffectRunnerParts {
  readonly store: EventStore;
  readonly clock: Clock;
  readonly effects: readonly Effect[];
  readonly log: ProjectionLog;
  /** The views as the log is followed: where they are, and the wait for a position. */
  readonly live: { readonly position: Position; whenProcessed(position: Position): Promise<void> };
  /** The first pause after a failed try, in milliseconds; each further one is twice as long, up to a minute. */
  readonly retryMs?: number;
}

/** Under way at once; beyond it the runner stops listening and reads on in the log when there is room again. */
const MOST_UNFINISHED = 1_000;
/** Remembered while an early one is being tried again and again. */
const MOST_REMEMBERED = 10_000;
/** Tries of one effect, over some six minutes, before it is given up. */
const MOST_TRIES = 11;
const LONGEST_PAUSE_MS = 60_000;
/** How long an answer waits for what follows from its own facts. */
const ANSWER_MS = 1_000;
/** How long a stop waits for effects under way; those that are not done begin again with the next start. */
const STOP_MS = 2_000;
const MARK_INTERVAL_MS = 60_000;
/** Facts without any effect after which it is worth a mark that they need not be looked at again. */
const FACTS_PER_MARK = 10_000;

interface Count {
  failures: number;
  givenUp: number;
}

/**
 * Runs the effects: each at least once. It hears of facts as the live projections pass them, and reads the log where it has
 * not heard of some: those before the start, and those that came while too much was under way. How far it is, is in the log.
 */
export class EffectRunner {
  readonly #parts: EffectRunnerParts;
  readonly #marks: EffectMarks;
  readonly #progress = new EffectProgress();
  readonly #queue = new KeyedQueue<string>();
  readonly #stopping = new AbortController();
  readonly #running = new Set<Promise<void>>();
  /** What follows from the facts of a request, by its id. */
  readonly #ofRequests = new Map<string, Set<Promise<void>>>();
  readonly #counts = new Map<string, Count>();
  /** Everything up to here was looked at. */
  #position: Position = START;
  /** Whether it takes what it hears; else it is reading the log. */
  #listens = false;
  #saved: Position = START;
  #saving: Promise<void> | undefined;
  #sinceMark = 0;
  /** Whether an effect has begun since the last mark. */
  #isDirty = false;
  #timer: NodeJS.Timeout | undefined;
  #wake: () => void = () => {};

  constructor(parts: EffectRunnerParts) {
    this.#parts = parts;
    this.#marks = new EffectMarks(parts.store, parts.clock);
  }

  /** Takes up where the last run ended. Settles when that is known; the rest goes on beside. */
  async start(): Promise<void> {
    for (const { name } of this.#parts.effects) this.#counts.set(name, { failures: 0, givenUp: 0 });
    if (this.#parts.effects.length === 0) return;
    this.#position = this.#saved = await this.#marks.load();
    this.#timer = setInterval(() => this.#markNowAndThen(), MARK_INTERVAL_MS).unref();
    this.#track(this.#catchUp());
  }

  /** Waits a little for what is under way and notes how far it came. The projections must still be running. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    clearInterval(this.#timer);
    this.#wake();
    await Promise.race([Promise.all(this.#running), delay(STOP_MS, undefined, { ref: false })]);
    await (this.#isDirty ? this.#save() : this.#saving);
  }

  /** The live projections have passed these facts. */
  hear(facts: readonly RecordedFact[]): void {
    if (!this.#listens) return;
    this.#take(facts);
    if (this.#hasRoom()) return;
    this.#listens = false;
    this.#track(this.#catchUp());
  }

  /**
   * What follows from the facts of a request, and is not done yet; undefined where that is nothing. Settles after a second at
   * the latest. An answer waits for it, so that its client can read at once what the request has brought about.
   */
  ofRequest(requestId: string): Promise<unknown> | undefined {
    const running = this.#ofRequests.get(requestId);
    if (running === undefined) return undefined;
    return Promise.race([Promise.all(running), delay(ANSWER_MS, undefined, { ref: false })]);
  }

  list(): EffectStatus[] {
    const waiting = [...this.#progress.waiting()];
    return this.#parts.effects.map(({ name }) => {
      const own = waiting.filter(({ effect }) => effect === name);
      const { failures = 0, givenUp = 0 } = this.#counts.get(name) ?? {};
      return { name, waiting: own.length, waitingSince: own[0]?.at, failures, givenUp };
    });
  }

  /** Reads the log until what is heard next is what comes next. */
  async #catchUp(): Promise<void> {
    const { store, live, log } = this.#parts;
    while (!this.#isStopped) {
      try {
        for await (const facts of store.readAll({ after: this.#position })) {
          // An effect reads the views, and must find the fact there.
          await live.whenProcessed(facts.at(-1)!.position);
          this.#take(facts);
          while (!this.#hasRoom() && !this.#isStopped) await new Promise<void>((wake) => (this.#wake = wake));
          if (this.#isStopped) return;
        }
        if (this.#position >= live.position) {
          this.#listens = true;
          return;
        }
      } catch (error) {
        if (this.#isStopped) return;
        log.error(`The effects wait, and try again: ${messageOf(error)}`);
        await this.#pause(RETRY_MS);
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
      for (const effect of this.#parts.effects) {
        const key = this.#keyOf(effect, fact);
        if (key !== undefined) this.#begin(effect, key, fact);
      }
      this.#progress.take(fact);
    }
  }

  #keyOf(effect: Effect, fact: RecordedFact): string | undefined {
    try {
      return effect.keyOf(fact);
    } catch (error) {
      this.#giveUp(effect, fact, error);
      return undefined;
    }
  }

  #begin(effect: Effect, key: string, fact: RecordedFact): void {
    const { stream, revision, position, metadata } = fact;
    const entry = this.#progress.begin(effect.name, { stream, revision, position }, metadata.at);
    this.#isDirty = true;
    const running = this.#queue
      .run(JSON.stringify([effect.name, key]), () => this.#runUntilDone(effect, fact))
      .then((outcome) => this.#end(entry, outcome));
    this.#track(running);
    const { correlation } = metadata;
    if (correlation !== undefined) this.#trackRequest(correlation, running);
  }

  /** Answers whether there was anything to do; undefined where it was stopped before that. */
  async #runUntilDone(effect: Effect, fact: RecordedFact): Promise<boolean | undefined> {
    const { log, retryMs = RETRY_MS } = this.#parts;
    let tries = 0;
    while (!this.#isStopped) {
      try {
        return await effect.run(fact);
      } catch (error) {
        if (this.#isStopped) return undefined;
        this.#counts.get(effect.name)!.failures++;
        // Nothing can be done without the log, and that is not the fact's fault.
        if (await this.#isLogThere()) tries++;
        if (tries === MOST_TRIES) {
          this.#giveUp(effect, fact, error);
          return false;
        }
        log.warn(`${describe(effect, fact)} failed, and is tried again: ${messageOf(error)}`);
        await this.#pause(Math.min(retryMs * 2 ** Math.max(0, tries - 1), LONGEST_PAUSE_MS));
      }
    }
    return undefined;
  }

  #giveUp(effect: Effect, fact: RecordedFact, error: unknown): void {
    this.#counts.get(effect.name)!.givenUp++;
    this.#parts.log.error(`${describe(effect, fact)} was given up and will not happen: ${messageOf(error)}`);
  }

  #end(entry: EffectEntry, outcome: boolean | undefined): void {
    if (outcome === undefined) return;
    this.#progress.end(entry);
    this.#wake();
    // What was done is noted at once, lest it be done again; that there was nothing to do can be found out again.
    if (outcome) void this.#save();
  }

  async #isLogThere(): Promise<boolean> {
    return this.#parts.store.head().then(
      () => true,
      () => false,
    );
  }

  #pause(milliseconds: number): Promise<void> {
    return delay(milliseconds, undefined, { signal: this.#stopping.signal, ref: false }).catch(() => {});
  }

  #markNowAndThen(): void {
    if (this.#isDirty || this.#sinceMark >= FACTS_PER_MARK) void this.#save();
  }

  /** Notes how far everything is done, one mark after another. */
  #save(): Promise<void> {
    const saving = (this.#saving ?? Promise.resolve()).then(async () => {
      const { passed } = this.#progress;
      if (passed === undefined || passed.position <= this.#saved) return;
      this.#sinceMark = 0;
      this.#isDirty = this.#progress.size > 0;
      try {
        await this.#marks.save(passed);
        this.#saved = passed.position;
      } catch (error) {
        this.#isDirty = true;
        this.#parts.log.warn(`How far the effects are could not be noted: ${messageOf(error)}`);
      }
    });
    return (this.#saving = saving);
  }

  #track(running: Promise<void>): void {
    this.#running.add(running);
    void running.finally(() => this.#running.delete(running));
  }

  #trackRequest(requestId: string, running: Promise<void>): void {
    const all = this.#ofRequests.get(requestId) ?? new Set();
    this.#ofRequests.set(requestId, all.add(running));
    void running.finally(() => {
      all.delete(running);
      if (all.size === 0) this.#ofRequests.delete(requestId);
    });
  }
}

function describe(effect: Effect, { type, position, stream, revision }: RecordedFact): string {
  return `${effect.name}: what follows from ${type} at position ${position} (${stream}, revision ${revision})`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
