import { setTimeout as delay } from 'node:timers/promises';
import type { EventStore, RecordedFact } from '#event-store/event-store';
import { messageOf } from '#kernel/message-of';
import { Slots } from '#kernel/slots';
import type { ProjectionLog, TakenBackBy } from '../runtime-parts.js';
import { isAway, ToldFailures } from '../told-failures.js';
import { pauseAfter } from './back-off.js';
import type { EffectLetter } from './effect-facts.js';
import type { Effect } from './effect.js';

/** Why something was given up. */
export type Reason = Pick<EffectLetter, 'error' | 'tries' | 'behind'>;

/** What became of an effect of a fact: there was something to do or nothing, it is a dead letter, or it was stopped (`left`). */
export type Tried = 'done' | 'idle' | 'given-up' | 'left';

export interface TryParts {
  readonly store: Pick<EventStore, 'head' | 'readStream'>;
  /** As of `RuntimeParts`. */
  readonly takenBackBy?: TakenBackBy | undefined;
  readonly log: ProjectionLog;
  /** Whether the views can be reached; and as `Views.confirm`. */
  readonly live: { readonly areThere: boolean; confirm(): Promise<void> };
  /** The first pause after a failed try, in milliseconds. */
  readonly retryMs: number;
  readonly onFailure: () => void;
  /** Notes a dead letter durably. */
  readonly giveUp: (letter: Omit<EffectLetter, 'at'>) => Promise<void>;
  /** Whether an earlier fact of the key is a dead letter that nobody tries again. */
  readonly isHeldUp: (key: string, fact: string) => boolean;
}

/** What is being done at once; a pause before another try does not count. */
const SIDE_BY_SIDE = 32;
/** Tries of one effect, over some five minutes, before it is given up. */
const MOST_TRIES = 11;
/** Characters of an error that a dead letter keeps. */
const LONGEST_ERROR = 1_000;

/** Runs one effect for one fact and another: some at once, and each again and again until it is done or given up. */
export class EffectTries {
  readonly #slots: Slots;

  constructor(
    private readonly effect: Effect,
    private readonly parts: TryParts,
    private readonly stopping: AbortSignal,
  ) {
    this.#slots = new Slots(effect.handsOver === true ? Infinity : SIDE_BY_SIDE);
  }

  /** Does what follows from a fact, after pauses where it fails, until it is done or given up. */
  async run(fact: RecordedFact, key: string): Promise<Tried> {
    const { log, live, retryMs } = this.parts;
    if (this.effect.isStrict === true && this.parts.isHeldUp(key, fact.id)) {
      return this.giveUp(fact, key, { error: 'it waits behind an earlier one of its key', tries: 0, behind: true });
    }
    let tries = 0;
    while (!this.#isStopped) {
      try {
        const isDone = await this.#slots.run(async () => (this.#isStopped ? undefined : this.#run(fact)));
        // By rows that somebody threw away meanwhile there was nothing to do, or not all of it.
        await live.confirm();
        return isDone === undefined ? 'left' : isDone ? 'done' : 'idle';
      } catch (error) {
        if (this.#isStopped) return 'left';
        this.parts.onFailure();
        // Nothing can be done without the log or the views, and that is not the fact's fault.
        const counts = !isAway(error) && live.areThere && (await this.#isLogThere());
        if (counts) tries++;
        if (tries === MOST_TRIES) return this.giveUp(fact, key, { error: messageOf(error), tries });
        if (counts) log.warn(`${this.#describe(fact)} failed, and is tried again: ${messageOf(error)}`);
        await this.pause(pauseAfter(tries, retryMs, Math.random()));
      }
    }
    return 'left';
  }

  async #run(fact: RecordedFact): Promise<boolean> {
    const stands = (): Promise<boolean> => this.#stands(fact);
    return (await stands()) && this.effect.run(fact, stands);
  }

  async #stands({ type, stream, revision }: RecordedFact): Promise<boolean> {
    const takenBack = this.parts.takenBackBy?.[type];
    if (takenBack === undefined) return true;
    for await (const later of this.parts.store.readStream(stream, { from: revision + 1 }))
      if (later.type === takenBack) return false;
    return true;
  }

  /** Notes that it is a dead letter: once that is in the log, the fact counts as passed. */
  async giveUp(fact: RecordedFact, key: string, why: Reason): Promise<Tried> {
    const { id, stream, revision, type } = fact;
    const error = why.error.slice(0, LONGEST_ERROR);
    const letter = { effect: this.effect.name, key, fact: id, stream, revision, type, ...why, error };
    const isNoted = await this.untilNoted(() => this.parts.giveUp(letter));
    if (!isNoted) return 'left';
    this.parts.log.error(
      `${this.#describe(fact)} was given up: ${error}. To try it again: annals effects retry ${this.effect.name} ${id}`,
    );
    return 'given-up';
  }

  /** Whether it was noted, at last, before the stop. */
  async untilNoted(note: () => Promise<void>): Promise<boolean> {
    const failures = new ToldFailures(this.parts.log, `What notes the effect ${this.effect.name}`);
    while (!this.#isStopped) {
      try {
        await note();
        failures.end();
        return !this.#isStopped;
      } catch (error) {
        await this.pause(failures.note(error));
      }
    }
    return false;
  }

  get #isStopped(): boolean {
    return this.stopping.aborted;
  }

  async #isLogThere(): Promise<boolean> {
    return this.parts.store.head().then(
      () => true,
      () => false,
    );
  }

  /** Settles early where everything is stopped. */
  pause(milliseconds: number): Promise<void> {
    return delay(milliseconds, undefined, { signal: this.stopping, ref: false }).catch(() => {});
  }

  #describe({ type, position, stream, revision }: RecordedFact): string {
    return `${this.effect.name}: what follows from ${type} at position ${position} (${stream}, revision ${revision})`;
  }
}
