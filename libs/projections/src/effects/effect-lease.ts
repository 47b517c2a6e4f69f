import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { ProjectionLog } from '../runtime-parts.js';
import { ToldFailures } from '../told-failures.js';
import type { EffectsFact, EffectsState } from './effect-facts.js';
import type { EffectNotes } from './effect-notes.js';
import { effectOfRange } from './ranges-of-effect.js';

/** How processes that share a log share the effects. */
export interface LeaseTerms {
  /** Names where the process runs: one that ran there before is gone. Where that is a mistake, it loses what it runs, and no more. */
  readonly place: string;
  /** In milliseconds: how long a process that is asked may be silent before another one takes what it runs. */
  readonly answerMs: number;
  /** Between two questions. */
  readonly askMs: number;
}

export interface LeaseParts {
  readonly notes: EffectNotes;
  /** The name of this process in the notes. */
  readonly by: string;
  readonly names: readonly string[];
  readonly terms: LeaseTerms;
  readonly log: ProjectionLog;
  /** Called with what is known after each change. */
  readonly onState: (state: EffectsState) => void;
  /** Ends what this process does of effects, notes how far it came, and lets `release` give them away. */
  readonly handOver: (names: readonly string[], release: () => Promise<unknown>) => Promise<void>;
}

/** What the names of all processes begin with that run at one place, one after the other. */
function nameAt(place: string): string {
  return `${place} `;
}

/** A name for a process that runs there. */
export function nameProcess(place: string): string {
  return `${nameAt(place)}${randomUUID()}`;
}

/**
 * Lets exactly one of the processes that share a log run an effect. What nobody runs is taken; of what others run it is asked now
 * and then whether they are still there, and taken from those who write nothing in answer. Nobody compares clocks, and where there
 * is one process, nothing is asked and nothing is written but that it has taken the effects. Of an effect that is divided into ranges
 * a process that runs nothing gets half of what it asks another one for.
 */
export class EffectLease {
  readonly #stopping = new AbortController();
  #wake: () => void = () => {};
  #isWoken = false;
  /** What was given away, and nobody has taken yet. */
  readonly #given = new Set<string>();
  #running: Promise<void> | undefined;
  /** Whether there is nothing to ask for. */
  #holdsAll = false;

  constructor(private readonly parts: LeaseParts) {}

  /** Takes what nobody runs, or one that was here before, then sees to the rest beside the caller. Throws where the log cannot be used. */
  async start(): Promise<void> {
    await this.#take((process) => process.startsWith(nameAt(this.parts.terms.place)));
    this.#running = this.#run();
  }

  /** Takes no more, and lets others take what this process runs. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#wakeUp();
    await this.#running;
    const { notes, by } = this.parts;
    await notes.change(({ runs }) =>
      [...runs.values()].includes(by) ? [{ type: 'effects-released', data: { by } }] : [],
    );
  }

  /** Others have written: answers who asks, shares with who has nothing, and looks whether there is something to take. */
  async hear(state: EffectsState): Promise<void> {
    const { notes, by, names } = this.parts;
    const { silent, runs } = state;
    for (const name of this.#given) if (runs.has(name)) this.#given.delete(name);
    const isDue = (name: string): boolean =>
      (!runs.has(name) && !this.#given.has(name)) || (this.#holdsAll && runs.get(name) !== by);
    if (names.some(isDue)) this.#wakeUp();
    if (this.#stopping.signal.aborted || ![...silent.values()].some((asked) => asked.has(by))) return;
    await notes.change(({ silent: asking }) =>
      [...asking.values()].some((asked) => asked.has(by)) ? [{ type: 'effects-held', data: { by } }] : [],
    );
    await this.#share(state);
  }

  /** Gives half of the ranges of each divided effect to whoever asks and runs nothing. */
  async #share({ silent, runs }: EffectsState): Promise<void> {
    const { notes, by, names, handOver } = this.parts;
    const running = new Set(runs.values());
    if (![...silent.keys()].some((asking) => !running.has(asking))) return;
    const ours = names.filter((name) => runs.get(name) === by && effectOfRange(name) !== undefined);
    const divided = new Set(ours.map(effectOfRange));
    const given = [...divided].flatMap((effect) => {
      const ranges = ours.filter((name) => effectOfRange(name) === effect);
      return ranges.slice(0, Math.floor(ranges.length / 2));
    });
    if (given.length === 0) return;
    for (const name of given) this.#given.add(name);
    await handOver(given, () =>
      notes.change((state): EffectsFact[] => {
        const effects = given.filter((name) => state.runs.get(name) === by);
        return effects.length === 0 ? [] : [{ type: 'effects-released', data: { by, effects } }];
      }),
    );
    this.#wakeUp();
  }

  async #run(): Promise<void> {
    const { notes, by, names, terms, log } = this.parts;
    const failures = new ToldFailures(log, 'Who finds out which process runs the effects');
    while (!this.#stopping.signal.aborted) {
      try {
        const { runs } = await this.#take(() => false);
        failures.end();
        this.#holdsAll = names.every((name) => runs.get(name) === by);
        if (this.#holdsAll) {
          await this.#pause(undefined);
          continue;
        }
        await notes.change(() => [{ type: 'effects-asked', data: { by } }]);
        if (await this.#pause(terms.answerMs)) continue;
        this.#given.clear();
        await this.#take((process, { silent }) => silent.get(by)?.has(process) === true);
        await this.#pause(terms.askMs);
      } catch (error) {
        await this.#pause(failures.note(error));
      }
    }
  }

  /** Takes what nobody runs, and what those run who are `gone`. */
  async #take(gone: (process: string, state: EffectsState) => boolean): Promise<EffectsState> {
    const { notes, by, names, log, onState } = this.parts;
    let taken: string[] = [];
    const state = await notes.change((known): EffectsFact[] => {
      taken = names.filter((name) => {
        const process = known.runs.get(name);
        if (this.#given.has(name)) return false;
        return process === undefined || (process !== by && gone(process, known));
      });
      return taken.length === 0 ? [] : [{ type: 'effects-taken', data: { by, effects: taken } }];
    });
    if (taken.length > 0) log.info(`This process runs the effects ${taken.join(', ')}`);
    onState(state);
    return state;
  }

  #wakeUp(): void {
    this.#isWoken = true;
    this.#wake();
  }

  /** Answers whether it was woken before its time. */
  async #pause(milliseconds: number | undefined): Promise<boolean> {
    await this.#wait(milliseconds);
    const isWoken = this.#isWoken || this.#stopping.signal.aborted;
    this.#isWoken = false;
    return isWoken;
  }

  async #wait(milliseconds: number | undefined): Promise<unknown> {
    if (this.#isWoken || this.#stopping.signal.aborted) return;
    const woken = new Promise<void>((resolve) => (this.#wake = resolve));
    if (milliseconds === undefined) return woken;
    const timer = new AbortController();
    const late = delay(milliseconds, undefined, { signal: timer.signal, ref: false }).catch(() => {});
    return Promise.race([woken, late]).finally(() => timer.abort());
  }
}
