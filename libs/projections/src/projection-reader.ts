import { setTimeout as delay } from 'node:timers/promises';
import type { RecordedFact } from '#event-store/event-store';
import { LogPutBack } from '#event-store/event-store-errors';
import { ViewsUnavailable } from '#read-models/read-model-errors';
import { messageOf } from '#kernel/message-of';
import { type Position, START } from '#kernel/position';
import { SharedRuns } from '#kernel/shared-runs';
import { type Checkpoint, readStanding } from './projection-records.js';
import { firstRecord, Projection } from './projection.js';
import { readAhead } from './read-ahead.js';
import { type RuntimeParts, silentLog } from './runtime-parts.js';
import { ToldFailures } from './told-failures.js';
import type { ViewsProgress } from './views-progress.js';

/** While facts are waited for, it is looked so often how far the writer is; less and less while it does not move. */
const LOOK_MS = { least: 5, most: 100 };
/** How often it is looked otherwise: another generation may serve. */
const IDLE_LOOK_MS = 1000;

/**
 * Follows the views that another process writes: where they stand is what that has stored. It hears of facts from the log, and
 * hands them on once the views have them, as the writer does.
 */
export class ProjectionReader {
  lastError: string | undefined;
  /** Whether the views were of another log when they were looked at last. */
  isForeign = false;
  readonly #failures: ToldFailures;
  readonly #ending = new AbortController();
  #running: Promise<void> | undefined;
  /** One look after another: an answer that comes after that of a later look tells of less, as views do that are made anew. */
  readonly #looks = new SharedRuns(() => this.#look());
  /** The first fact that it has heard of and the views did not have yet: it has told all before. */
  #next: Position = START;

  constructor(
    readonly parts: RuntimeParts,
    readonly progress: ViewsProgress,
    /** Which log the views must be of. */
    readonly logId: string | null,
    /** Called before any waiter hears of it. */
    readonly onProjected: (facts: readonly RecordedFact[]) => void,
  ) {
    this.#failures = new ToldFailures(parts.log ?? silentLog, 'Who follows the views');
  }

  /** Why it cannot go on, in one line. */
  get failure(): string | undefined {
    return this.#failures.told;
  }

  /** Takes up what is stored. Answers whether it is of this log, and today's queries can read it. */
  async begin(): Promise<boolean> {
    const checkpoint = await this.#looks.run();
    if (checkpoint === undefined) return false;
    this.progress.moveTo(checkpoint.position);
    this.progress.settle();
    const { readable } = this.progress;
    return (
      readable !== undefined && [...readable.values()].every((each) => each.isReadable || each.paused !== undefined)
    );
  }

  /** As `Views.confirm`, of what another process may be making anew. */
  async confirm(): Promise<void> {
    if ((await this.#looks.run()) === undefined) throw new ViewsUnavailable('the views are made anew');
  }

  /** Follows until `end` or `leave`. */
  run(): void {
    this.#running = this.#run(this.#ending.signal);
  }

  async end(): Promise<void> {
    this.#ending.abort();
    await this.#running;
  }

  /**
   * Ends when it has told all that the views have: the former writer has ended, and this process takes its place. Says nothing more
   * of where they stand from then on: who writes them knows better.
   */
  async leave(): Promise<void> {
    while (!this.#ending.signal.aborted) {
      const checkpoint = await this.#lookSafely();
      if (checkpoint === undefined || this.progress.position >= checkpoint.position) break;
      // The last fact that the views have may be gone from the log since.
      if (this.#next > checkpoint.position) break;
      await this.#pause(LOOK_MS.most);
    }
    await this.end();
  }

  async #run(signal: AbortSignal): Promise<void> {
    const looking = setInterval(() => void this.#lookSafely(), IDLE_LOOK_MS).unref();
    while (!signal.aborted) {
      const hasTried = this.#failures.tryOn();
      try {
        for await (const facts of readAhead(this.parts.store.subscribe({ after: this.progress.position, signal }))) {
          hasTried();
          if (signal.aborted) break;
          this.#failures.end();
          await this.#passWithViews(facts, signal);
        }
      } catch (error) {
        hasTried();
        if (signal.aborted || error instanceof LogPutBack) break;
        this.lastError = messageOf(error);
        const pauseMs = this.#failures.note(error, this.progress.position);
        this.progress.release();
        await this.#pause(pauseMs);
      }
    }
    clearInterval(looking);
  }

  /** Hands on the facts of a batch as the views come to have them. */
  async #passWithViews(facts: readonly RecordedFact[], signal: AbortSignal): Promise<void> {
    let rest = facts.filter(({ position }) => position > this.progress.position);
    let pauseMs = LOOK_MS.least;
    while (rest.length > 0 && !signal.aborted) {
      const checkpoint = await this.#lookSafely();
      const passed = checkpoint === undefined ? [] : rest.filter(({ position }) => position <= checkpoint.position);
      if (passed.length > 0) {
        this.progress.moveTo(passed.at(-1)!.position);
        this.onProjected(passed);
        this.progress.settle();
        rest = rest.slice(passed.length);
        pauseMs = LOOK_MS.least;
      }
      if (rest.length === 0) return;
      this.#next = rest[0]!.position;
      await this.#pause(pauseMs);
      pauseMs = Math.min(2 * pauseMs, LOOK_MS.most);
    }
  }

  async #lookSafely(): Promise<Checkpoint | undefined> {
    try {
      return await this.#looks.run();
    } catch (error) {
      this.lastError = messageOf(error);
      return undefined;
    }
  }

  /**
   * Looks where the writer is. Undefined while the views are of no log, or of another, or lack what they had: they are being made
   * anew, and rows that are not there yet look like rows that never were.
   */
  async #look(): Promise<Checkpoint | undefined> {
    const { projectors, readModels } = this.parts;
    const { checkpoint, records } = await readStanding(readModels, projectors);
    this.isForeign = checkpoint !== undefined && checkpoint.log !== null && checkpoint.log !== this.logId;
    const isWhole = checkpoint?.log === this.logId && checkpoint.position >= this.progress.position;
    const isOver = this.#ending.signal.aborted;
    if (checkpoint === undefined || !isWhole) {
      if (!isOver) this.progress.take(undefined);
      return undefined;
    }
    if (isOver) return checkpoint;
    const projections = new Map<string, Projection>();
    for (const projector of projectors) {
      const record = records.get(projector.name) ?? firstRecord(projector, checkpoint.position);
      const projection = new Projection(projector, record);
      projection.takeCount(checkpoint.facts ?? 0);
      projections.set(projector.name, projection);
    }
    this.progress.take(projections);
    this.lastError = undefined;
    return checkpoint;
  }

  #pause(milliseconds: number): Promise<void> {
    return delay(milliseconds, undefined, { signal: this.#ending.signal }).catch(() => {});
  }
}
