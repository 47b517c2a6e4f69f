import type { RecordedFact } from '#event-store/event-store';
import type { LogHistory } from '#event-store/log-history';
import { START, type Position } from '#kernel/position';
import { beginBehindAnew, WHY_ANEW } from './begin-anew.js';
import type { DeadLetter } from './dead-letters.js';
import { findForgotten } from './forgotten-marks.js';
import type { Generation } from './generation.js';
import { Generations } from './generations.js';
import { LiveLoop } from './live-loop.js';
import { begunWrite, checkpointWrite, NOTHING_STORED } from './projection-records.js';
import type { Projection } from './projection.js';
import { RebuildControl } from './rebuild-control.js';
import type { ProjectionLog, RuntimeParts } from './runtime-parts.js';
import { shareReads } from './share-reads.js';
import type { ViewsProgress } from './views-progress.js';
import { dropViews, readOwnedState } from './whose-views.js';

/**
 * The one that writes: follows the log with what is up to date, and fills new generations beside the serving ones. There is one
 * for a store of views, in the process that has its lease.
 */
export class ProjectionWriter {
  readonly control: RebuildControl;
  readonly #live: LiveLoop;
  readonly #generations: Generations;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;

  constructor(
    readonly parts: RuntimeParts,
    readonly log: ProjectionLog,
    readonly progress: ViewsProgress,
    onProjected: (facts: readonly RecordedFact[]) => void,
  ) {
    const setApart = (generation: Generation): Promise<void> => this.#generations.setApart(generation);
    this.#live = new LiveLoop(parts, log, progress, (letter) => this.#noteDeadLetter(letter), setApart, onProjected);
    // All that are filled at one time, as after an update, read the log once.
    this.#generations = new Generations({ ...parts, store: shareReads(parts.store) }, this.#live, log);
    this.control = new RebuildControl(this.#generations, this.#live);
  }

  get lastError(): string | undefined {
    return this.#live.lastError;
  }

  /** Why it cannot go on, in one line. */
  get failure(): string | undefined {
    return this.#live.failure;
  }

  /** See `ProjectionOperations.throttle`. */
  set throttle(factsPerSecond: number | undefined) {
    this.#generations.throttle = factsPerSecond;
  }

  /**
   * Takes up what is stored, without reading the log; what is not of this log is thrown away. Answers the history of the log
   * that positions are of.
   */
  async load(): Promise<LogHistory> {
    const { store, readModels } = this.parts;
    await this.parts.beforeWriting?.();
    const { logId, history, foreign, putBackTo: _, ...found } = await readOwnedState(store, readModels);
    if (foreign !== undefined) {
      this.log.warn(`The views ${foreign}: they are rebuilt from the log`);
      await dropViews(readModels);
    }
    const stored = foreign === undefined ? found : NOTHING_STORED;
    const { checkpoint } = stored;
    if (checkpoint === undefined) await readModels.write([checkpointWrite(logId, undefined, 0)]);
    const position = checkpoint?.position ?? START;
    const facts = checkpoint?.facts ?? 0;
    this.#live.begin(logId, history, facts);
    this.progress.moveTo(position);
    const forgotten = await findForgotten(store, history);
    const { records, left, anew } = beginBehindAnew(this.parts.projectors, stored, forgotten);
    for (const name of anew) this.log.warn(`${name}: ${WHY_ANEW}: it is filled anew`);
    await this.#generations.load(records, position, facts);
    await this.#generations.drop(...left);
    // Last, for what was there before may not count as begun now.
    const begun = checkpoint === undefined ? this.parts.projectors.map(({ name }) => name) : anew;
    if (begun.length > 0) {
      const { last } = forgotten;
      await readModels.write([begunWrite(new Map([...stored.begun, ...begun.map((name) => [name, last] as const)]))]);
    }
    this.progress.take(this.#generations.projections, position);
    return history;
  }

  /**
   * Follows the log. Settles when the serving projections have passed a position. Throws where rows that today's queries cannot
   * read could not be rebuilt.
   */
  async start(upTo: Position): Promise<void> {
    this.#generations.isFollowing = true;
    const due: Promise<void>[] = [this.progress.whenProcessed(upTo)];
    this.#running = this.#live.run(this.#stopping.signal, upTo);
    for (const projection of this.#generations.projections.values()) {
      this.#generations.resumeFilling(projection);
      const awaited = projection.isReadable ? projection.serving : projection.next?.generation;
      const filling = awaited && projection.fillings.get(awaited);
      if (filling !== undefined) due.push(filling.done);
    }
    await Promise.all(due);
    // One that takes long has been left behind by then.
    await this.progress.until(() =>
      [...this.#generations.projections.values()].every(
        ({ serving, fillings }) => !fillings.has(serving) || this.progress.positionOf(serving) >= upTo,
      ),
    );
    for (const projection of this.#generations.projections.values()) checkReadable(projection);
    void this.#generations
      .dropLeftovers()
      .catch((error: unknown) => this.log.error(`Leftovers stay: ${String(error)}`));
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#generations.stop();
    await this.#running;
    await this.parts.readModels.flush();
  }

  #noteDeadLetter(letter: DeadLetter): void {
    const generation = this.#generations.projections.get(letter.projection)?.serving;
    if (generation?.generation === letter.generation) generation.deadLetters++;
    this.log.error(`${letter.projection}: skipped ${letter.type} at position ${letter.position}: ${letter.error}`);
  }
}

function checkReadable(projection: Projection): void {
  if (projection.isReadable || projection.paused !== undefined) return;
  const { name, serving, projector, lastError = 'its rebuild was cancelled' } = projection;
  throw new Error(
    `${name}: version ${serving.version} is no longer readable, and version ${projector.version} is not filled: ${lastError}`,
  );
}
