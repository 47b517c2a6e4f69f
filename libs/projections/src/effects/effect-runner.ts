import { setTimeout as delay } from 'node:timers/promises';
import type { EventStore, RecordedFact } from '#event-store/event-store';
import { findLogIdentity } from '#event-store/log-identity';
import type { Clock } from '#kernel/clock';
import { messageOf } from '#kernel/message-of';
import { RETRY_MS, type ProjectionLog, type RuntimeParts } from '../runtime-parts.js';
import { shareReads } from '../share-reads.js';
import { ToldFailures } from '../told-failures.js';
import { EFFECTS_STREAM, type EffectLetter, type EffectsState, isHeldUp, letterName } from './effect-facts.js';
import { EffectLane, type FollowedViews } from './effect-lane.js';
import { EffectLease, type LeaseTerms, nameProcess } from './effect-lease.js';
import { EffectMarks } from './effect-marks.js';
import { EffectCommandRefused, EffectNotes } from './effect-notes.js';
import type { Effect, EffectStatus } from './effect.js';
import { introduceEffects } from './introduce-effects.js';
import { placeOfMark } from './place-of-mark.js';
import { rangesOfEffect } from './ranges-of-effect.js';
import { RequestsUnderWay } from './requests-under-way.js';
import { type StateOfFact, stateOfFact, type WhatFollows } from './what-follows.js';

export interface EffectRunnerParts extends Pick<RuntimeParts, 'takenBackBy'> {
  readonly store: EventStore;
  readonly clock: Clock;
  readonly effects: readonly Effect[];
  readonly log: ProjectionLog;
  readonly live: FollowedViews;
  /** Other processes may run the effects too; undefined where nobody else can write to the log. */
  readonly lease?: LeaseTerms;
  /** The first pause after a failed try, in milliseconds. */
  readonly retryMs?: number;
}

const MARK_INTERVAL_MS = 60_000;
/** How long a stop waits for the log. */
const STOP_MS = 1_000;
interface Count {
  failures: number;
  givenUp: number;
}

/**
 * Runs the effects: each at least once, each at its own pace. How far each of them is, which process runs it and what was given up
 * is in the log (`EffectNotes`).
 */
export class EffectRunner implements WhatFollows {
  readonly #parts: EffectRunnerParts;
  /** Those that are divided by their ranges. */
  #effects: readonly Effect[] = [];
  /** The name of this process in the notes. */
  readonly #by: string;
  readonly #notes: EffectNotes;
  /** PERF: effects that read on from one place, as after a start, read the log once. */
  readonly #readings: EventStore;
  readonly #lanes = new Map<string, EffectLane>();
  readonly #requests = new RequestsUnderWay();
  readonly #counts = new Map<string, Count>();
  #logId: string | null = null;
  #marks: EffectMarks | undefined;
  #lease: EffectLease | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;
  #ending: Promise<void> | undefined;
  /** Others have written to the stream of the notes. */
  #isStale = false;
  #isRefreshing = false;

  constructor(parts: EffectRunnerParts) {
    this.#parts = parts;
    this.#by = nameProcess(parts.lease?.place ?? 'here');
    this.#notes = new EffectNotes(parts.store, parts.clock, this.#by);
    this.#readings = shareReads(parts.store);
  }

  /**
   * Takes up where the last run ended. Settles when that is known; the rest goes on beside. Throws where the log cannot be used.
   */
  async start(): Promise<void> {
    const { lease, log, store } = this.#parts;
    const notes = this.#notes;
    this.#effects = this.#parts.effects.flatMap(rangesOfEffect);
    if (this.#effects.length === 0) return;
    for (const { name } of this.#effects) this.#counts.set(name, { failures: 0, givenUp: 0 });
    this.#logId = (await findLogIdentity(store))?.logId ?? null;
    const isOurs = (effect: string, state: EffectsState): boolean => this.#isOurs(effect, state);
    this.#marks = new EffectMarks({ notes, by: this.#by, logId: this.#logId, isOurs, log });
    await introduceEffects(store, notes, this.#effects, { by: this.#by, logId: this.#logId });
    this.#timer = setInterval(() => this.#markNowAndThen(), MARK_INTERVAL_MS).unref();
    if (lease === undefined) return this.#follow(notes.state);
    const names = this.#effects.map(({ name }) => name);
    const onState = (state: EffectsState): void => void this.#follow(state);
    const handOver = (given: readonly string[], release: () => Promise<unknown>): Promise<void> =>
      this.#handOver(given, release);
    this.#lease = new EffectLease({ notes, by: this.#by, names, terms: lease, log, onState, handOver });
    await this.#lease.start();
  }

  /** Waits a little for what is under way and notes how far it came. The projections must still be running. */
  stop(): Promise<void> {
    return (this.#ending ??= this.#end());
  }

  async #end(): Promise<void> {
    this.#isStopped = true;
    clearInterval(this.#timer);
    const lanes = [...this.#lanes.values()];
    await Promise.all(lanes.map((lane) => lane.stop()));
    const noting = async (): Promise<void> => {
      await this.#marks?.save(lanes.some((lane) => lane.isDue) ? lanes : []);
      await this.#lease?.stop();
    };
    const failed = (error: unknown): void => this.#parts.log.warn(`The effects end unnoted: ${messageOf(error)}`);
    await Promise.race([noting().catch(failed), delay(STOP_MS, undefined, { ref: false })]);
  }

  /** The live projections have passed these facts. */
  hear(facts: readonly RecordedFact[]): void {
    for (const lane of this.#lanes.values()) lane.hear(facts);
    if (this.#lease === undefined || !facts.some((fact) => fact.stream === EFFECTS_STREAM)) return;
    const isOthers = ({ stream, data }: RecordedFact): boolean =>
      stream === EFFECTS_STREAM && (JSON.parse(data) as { readonly by?: string }).by !== this.#by;
    if (!facts.some(isOthers)) return;
    this.#isStale = true;
    if (!this.#isRefreshing) void this.#refresh();
  }

  /**
   * What follows from the facts of a request, and is not done yet; undefined where that is nothing. Settles after a second at
   * the latest. An answer waits for it, so that its client can read at once what the request has brought about. Where another
   * process runs the effects, nobody waits for them here.
   */
  ofRequest(requestId: string): Promise<unknown> | undefined {
    return this.#requests.find(requestId);
  }

  /** See WhatFollows. What this process has done of it by now is noted. Throws where the log is away. */
  stateOf(fact: RecordedFact): Promise<StateOfFact> {
    const marks = { logId: this.#logId, save: (lanes: Iterable<EffectLane>) => this.#marks?.save(lanes) };
    return stateOfFact(fact, { effects: this.#effects, notes: this.#notes, lanes: this.#lanes, marks });
  }

  /** Which effects cannot go on, and why, each in one line. */
  get failures(): string[] {
    return [...this.#lanes.values()].flatMap(({ failure }) => failure ?? []);
  }

  list(): EffectStatus[] {
    const { runs, letters } = this.#notes.state;
    return this.#effects.map(({ name }) => {
      const lane = this.#lanes.get(name);
      const { failures = 0, givenUp = 0 } = this.#counts.get(name) ?? {};
      return {
        name,
        runs: lane !== undefined ? 'here' : runs.has(name) ? 'elsewhere' : 'nowhere',
        waiting: lane?.waiting ?? 0,
        waitingSince: lane?.waitingSince,
        failures,
        givenUp,
        deadLetters: [...letters.values()].filter(({ effect }) => effect === name).length,
      };
    });
  }

  /** The dead letters of an effect, or of all, oldest first. Throws EffectCommandRefused where there is no such effect. */
  async letters(effect?: string): Promise<EffectLetter[]> {
    if (effect !== undefined) this.#check(effect);
    return this.#notes.letters(effect);
  }

  /** Tries the dead letters of an effect again, or that of one fact by its id. Throws EffectCommandRefused where there are none. */
  async retry(effect: string, fact?: string): Promise<void> {
    this.#check(effect);
    await this.#follow(await this.#notes.retry(effect, fact));
  }

  /** Drops them: what should have followed never will. Throws EffectCommandRefused where there are none. */
  async drop(effect: string, fact?: string): Promise<void> {
    this.#check(effect);
    await this.#follow(await this.#notes.drop(effect, fact));
  }

  #check(effect: string): void {
    if (!this.#counts.has(effect)) throw new EffectCommandRefused(`There is no effect ${effect}`);
  }

  #isOurs(effect: string, { runs }: EffectsState): boolean {
    return this.#parts.lease === undefined || runs.get(effect) === this.#by;
  }

  async #refresh(): Promise<void> {
    this.#isRefreshing = true;
    while (this.#isStale && !this.#isStopped) {
      this.#isStale = false;
      try {
        const state = await this.#notes.load();
        void this.#follow(state);
        await this.#lease?.hear(state);
      } catch (error) {
        this.#parts.log.warn(`What others note of the effects could not be read: ${messageOf(error)}`);
      }
    }
    this.#isRefreshing = false;
  }

  /** Runs what is this process's to run, and nothing else. */
  async #follow(state: EffectsState): Promise<void> {
    const beginning: Promise<void>[] = [];
    for (const effect of this.#effects) {
      const lane = this.#lanes.get(effect.name);
      const isOurs = this.#isOurs(effect.name, state) && !this.#isStopped;
      if (!isOurs && lane !== undefined && !this.#isStopped) this.#leave(lane);
      if (isOurs && lane === undefined) beginning.push(this.#begin(effect, state));
    }
    for (const letter of state.letters.values()) {
      if (letter.retrying === true) this.#lanes.get(letter.effect)?.retry(letter);
    }
    await Promise.all(beginning);
  }

  #leave(lane: EffectLane): void {
    this.#parts.log.warn(`Another process runs the effect ${lane.effect.name}`);
    this.#lanes.delete(lane.effect.name);
    this.#marks?.forget(lane);
    void lane.stop();
  }

  /** What could not be given away is gone on with. */
  async #handOver(names: readonly string[], release: () => Promise<unknown>): Promise<void> {
    const lanes = names.flatMap((name) => this.#lanes.get(name) ?? []);
    await Promise.all(lanes.map((lane) => lane.stop()));
    await this.#marks?.save(lanes);
    try {
      await release();
    } finally {
      for (const lane of lanes) {
        this.#lanes.delete(lane.effect.name);
        this.#marks?.forget(lane);
      }
      await this.#follow(this.#notes.state);
    }
  }

  async #begin(effect: Effect, { marks }: EffectsState): Promise<void> {
    const lane = this.#makeLane(effect);
    this.#lanes.set(effect.name, lane);
    const { store, log } = this.#parts;
    const failures = new ToldFailures(log, `Who looks for where the effect ${effect.name} goes on`);
    while (this.#lanes.get(effect.name) === lane && !this.#isStopped) {
      try {
        lane.start(await placeOfMark(store, this.#logId, marks.get(effect.name) ?? null));
        return failures.end();
      } catch (error) {
        await delay(failures.note(error), undefined, { ref: false });
      }
    }
  }

  #makeLane(effect: Effect): EffectLane {
    const { log, live, retryMs = RETRY_MS, takenBackBy } = this.#parts;
    const { name } = effect;
    return new EffectLane(effect, {
      store: this.#readings,
      log,
      live,
      retryMs,
      takenBackBy,
      onDone: () => void this.#marks?.save(this.#lanes.values()),
      onFailure: () => void this.#counts.get(name)!.failures++,
      onRunning: ({ metadata }, running) => {
        if (metadata.correlation !== undefined) this.#requests.track(metadata.correlation, running);
      },
      giveUp: (letter) => this.#giveUp(letter),
      settle: async (letter) => {
        await this.#notes.change(({ letters }) =>
          letters.has(letterName(letter))
            ? [{ type: 'effect-settled', data: { by: this.#by, effect: name, facts: [letter.fact] } }]
            : [],
        );
      },
      isHeldUp: (key, fact) => isHeldUp(this.#notes.state, name, key, fact),
    });
  }

  async #giveUp(letter: Omit<EffectLetter, 'at'>): Promise<void> {
    const at = this.#parts.clock.now();
    await this.#notes.giveUp({ ...letter, at }, (state) => this.#isOurs(letter.effect, state));
    this.#counts.get(letter.effect)!.givenUp++;
  }

  #markNowAndThen(): void {
    if ([...this.#lanes.values()].some((lane) => lane.isDue)) void this.#marks?.save(this.#lanes.values());
  }
}
