import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import type { RecordedFact } from '#event-store/event-store';
import { LogDamaged, LogPutBack } from '#event-store/event-store-errors';
import { LogHistory } from '#event-store/log-history';
import { KeyedQueue } from '#kernel/keyed-queue';
import { messageOf } from '#kernel/message-of';
import type { Position } from '#kernel/position';
import type { Write } from '#read-models/read-model-store';
import { BatchRows } from './batch-rows.js';
import { noteTouched } from './compare-generations.js';
import { deadLetterOf, deadLetterWrite, type DeadLetter } from './dead-letters.js';
import type { Generation } from './generation.js';
import { projectSideBySide, type Work } from './project-facts.js';
import { checkpointWrite, milestoneWrite } from './projection-records.js';
import type { Projector } from './projector.js';
import { readAhead } from './read-ahead.js';
import type { ProjectionLog, RuntimeParts } from './runtime-parts.js';
import { settleTogether } from './settle-together.js';
import { ToldFailures } from './told-failures.js';
import { Turn } from './turn.js';
import type { ViewsProgress } from './views-progress.js';

/** Facts that all members look at before the clock is read. */
const FACTS_PER_LOOK = 4;

/** A batch on its way through one member. */
interface MemberWork extends Work {
  readonly generation: Generation;
  readonly letters: readonly DeadLetter[];
}

const NONE: ReadonlySet<MemberWork> = new Set();

/** Follows the log with all generations that stand at the same position, the shared checkpoint. */
export class LiveLoop {
  /** The generations that move together. Changed only within `exclusively`. */
  readonly members = new Map<Generation, Projector>();
  lastError: string | undefined;
  readonly #failures: ToldFailures;
  readonly #turns = new KeyedQueue<'turn'>();
  #logId: string | null = null;
  #history = LogHistory.UNBROKEN;
  /** How many facts lie before `position`. */
  #facts = 0;

  constructor(
    readonly parts: RuntimeParts,
    readonly log: ProjectionLog,
    readonly progress: ViewsProgress,
    readonly onDeadLetter: (letter: DeadLetter) => void,
    /** Takes a member out that keeps the others waiting. */
    readonly setApart: (generation: Generation) => Promise<void>,
    /** Called before any waiter hears of it. */
    readonly onProjected: (facts: readonly RecordedFact[]) => void,
  ) {
    this.#failures = new ToldFailures(log, 'Who writes the views');
  }

  /** Why it cannot go on, in one line. */
  get failure(): string | undefined {
    return this.#failures.told;
  }

  /** Says in which log the members stand, and how many facts lie before that, before `run`. */
  begin(logId: string | null, history: LogHistory, facts: number): void {
    this.#logId = logId;
    this.#history = history;
    this.#facts = facts;
  }

  /** The shared checkpoint: the last position that all members have passed. */
  get position(): Position {
    return this.progress.position;
  }

  /** Runs a task between two batches: the members stand still at `position` meanwhile. */
  exclusively<T>(task: () => Promise<T>): Promise<T> {
    return this.#turns.run('turn', task);
  }

  /**
   * Follows the log until the signal. Up to `together` all go through it side by side: nobody is helped by some that are ahead,
   * and each that went by itself would read the log once more.
   */
  async run(signal: AbortSignal, together: Position): Promise<void> {
    while (!signal.aborted) {
      // A subscription that waits for facts ends by nothing but its signal.
      const failed = new AbortController();
      const hasTried = this.#failures.tryOn();
      try {
        const following = AbortSignal.any([signal, failed.signal]);
        const batches = this.parts.store.subscribe({ after: this.position, signal: following });
        for await (const facts of readAhead(batches)) {
          hasTried();
          if (signal.aborted) break;
          await this.exclusively(() => this.#pass(facts, together, signal)).catch((error: unknown) => {
            failed.abort();
            throw error;
          });
          if (facts.length > 1) await nextTurn(); // a catch-up must let requests through
        }
      } catch (error) {
        hasTried();
        if (signal.aborted) break;
        // Nothing that is remembered here is of this log any more. Whoever watches it has been told.
        if (error instanceof LogPutBack) {
          this.lastError = error.message;
          this.progress.release();
          break;
        }
        const pauseMs = this.#note(error);
        // What is damaged stays so: a start that waits for the end of such a log would wait for ever.
        if (error instanceof LogDamaged) this.progress.fail(error);
        this.progress.release();
        await delay(pauseMs, undefined, { signal }).catch(() => {});
      }
    }
  }

  async #pass(facts: readonly RecordedFact[], together: Position, signal: AbortSignal): Promise<void> {
    const last = facts.at(-1);
    if (last === undefined || last.position <= this.position) return;
    const fresh = facts[0]!.position > this.position ? facts : facts.filter((fact) => fact.position > this.position);
    const { writes, letters } = await this.#project(fresh, last.position <= together);
    const count = this.#facts + fresh.length;
    const milestone = milestoneWrite(last, this.#facts, count);
    if (milestone !== undefined) writes.push(milestone);
    writes.push(checkpointWrite(this.#logId, last, count, this.#history));
    await this.#write(writes, signal);
    for (const letter of letters) this.onDeadLetter(letter);
    this.progress.moveTo(last.position);
    this.#facts = count;
    // Where the log does not number its facts, nobody else knows how many there were.
    for (const generation of this.members.keys()) generation.facts += fresh.length;
    this.onProjected(fresh);
    this.progress.settle();
  }

  async #project(
    facts: readonly RecordedFact[],
    isTogether: boolean,
  ): Promise<{ writes: Write[]; letters: DeadLetter[] }> {
    const works: MemberWork[] = [];
    for (const [generation, projector] of this.members) {
      const rows = new BatchRows(this.parts.readModels, generation.physical);
      const letters: DeadLetter[] = [];
      const onBadFact = (fact: RecordedFact, error: unknown): void => {
        letters.push(deadLetterOf(generation, fact, error, this.parts.clock.now()));
      };
      works.push({ generation, projector, rows, letters, onBadFact, pending: undefined });
    }
    const begun = projectSideBySide(works, facts, new Turn(FACTS_PER_LOOK), isTogether);
    if (begun !== undefined) await begun;
    if (isTogether) await Promise.all(works.map(({ pending }) => pending));
    const late = !isTogether && works.some(({ pending }) => pending !== undefined) ? await settleTogether(works) : NONE;
    // Where the others stand now: they have not moved yet.
    for (const { generation, rows } of late) {
      rows.isAbandoned = true;
      await this.setApart(generation);
    }
    const done = late.size === 0 ? works : works.filter((work) => !late.has(work));
    const writes: Write[] = done.flatMap(({ rows }) => rows.writes);
    for (const generation of this.members.keys()) noteTouched(generation, writes);
    const letters = done.flatMap((work) => work.letters);
    for (const letter of letters) writes.push(deadLetterWrite(letter));
    return { writes, letters };
  }

  /** A store that refuses for a while does not stop the loop: the same rows are written again. */
  async #write(writes: readonly Write[], signal: AbortSignal): Promise<void> {
    for (;;) {
      try {
        await this.parts.readModels.write(writes);
        this.#noteSuccess();
        return;
      } catch (error) {
        if (signal.aborted) throw error;
        const pauseMs = this.#note(error);
        this.progress.release();
        await delay(pauseMs, undefined, { signal });
      }
    }
  }

  #note(error: unknown): number {
    this.lastError = messageOf(error);
    return this.#failures.note(error, this.position);
  }

  #noteSuccess(): void {
    this.lastError = undefined;
    this.#failures.end();
  }
}
