import type { Position } from '#kernel/position';
import { checksumGeneration, type CollectionChecksum } from './checksums.js';
import { listDeadLetters, type DeadLetter } from './dead-letters.js';
import type { Meter } from './meter.js';
import type { Projection } from './projection.js';
import { statusOf, type ProjectionStatus } from './projection-status.js';
import type { ProjectionWriter } from './projection-writer.js';
import { ProjectionCommandRefused, type RebuildControl, type RebuildOptions } from './rebuild-control.js';
import type { RuntimeParts } from './runtime-parts.js';
import type { ViewsProgress } from './views-progress.js';

export const ANOTHER_WRITES = 'Another process writes the views: it takes such commands, and this one does not';

/**
 * What operators ask of the projections of a process, and do to them: `ProjectionRuntime.operations`. Whatever names a projection throws ProjectionCommandRefused where there is
 * none of that name, and what changes one also where another process writes.
 */
export class ProjectionOperations {
  #writer: ProjectionWriter | undefined;
  #throttle: number | undefined;

  /** `lastError`: of who moves all that are up to date. */
  constructor(
    private readonly parts: Pick<RuntimeParts, 'store' | 'readModels' | 'clock'>,
    private readonly progress: ViewsProgress,
    private readonly meter: Meter,
    private readonly lastError: () => string | undefined,
  ) {}

  /** Has commands carried out by who writes the views in this process. */
  take(writer: ProjectionWriter): void {
    writer.throttle = this.#throttle;
    this.#writer = writer;
  }

  /** How every projection does, in the order of registration. */
  async list(): Promise<ProjectionStatus[]> {
    const head = await this.parts.store.head();
    return [...this.progress.projections.values()].map((each) => this.#statusOf(each, head));
  }

  /** How one projection does. */
  async status(name: string): Promise<ProjectionStatus> {
    return this.#statusOf(this.#get(name), await this.parts.store.head());
  }

  /** Fills the next generation beside the serving one and switches to it, or goes on with one that was cancelled. */
  async rebuild(name: string, options: RebuildOptions = {}): Promise<void> {
    return this.#control.rebuild(name, options);
  }

  /** Lets the generation serve that was rebuilt with `switchByHand`; where it is not filled yet, as soon as it is. */
  async switch(name: string): Promise<void> {
    return this.#control.switch(name);
  }

  /** Lets the generation serve again that served before, once it has caught up. */
  async rollback(name: string): Promise<void> {
    return this.#control.rollback(name);
  }

  /** Stops a projection where it is, also over restarts: its views go stale, and `position` waits for it. */
  async pause(name: string, reason: string): Promise<void> {
    return this.#control.pause(name, { reason, at: this.parts.clock.now() });
  }

  /** Goes on after a pause, and with a rebuild that stopped at a bad fact. */
  async resume(name: string): Promise<void> {
    return this.#control.resume(name);
  }

  /** Stops a rebuild and keeps what it has done: `rebuild` goes on with it. */
  async cancel(name: string): Promise<void> {
    return this.#control.cancel(name);
  }

  /** Lets go of generations that do not serve, and stand before a position: they have what was erased since. */
  async dropBehind(position: Position): Promise<void> {
    return this.#control.dropBehind(position);
  }

  /** Limits each rebuild to so many facts per second from its next start on; undefined lifts the limit. */
  throttle(factsPerSecond: number | undefined): void {
    this.#throttle = factsPerSecond;
    if (this.#writer !== undefined) this.#writer.throttle = factsPerSecond;
  }

  /** The facts that the serving generations lack, of one projection or of all. A rebuild tries them again. */
  async deadLetters(name?: string): Promise<DeadLetter[]> {
    const projections = name === undefined ? [...this.progress.projections.values()] : [this.#get(name)];
    return (await Promise.all(projections.map((each) => listDeadLetters(this.parts.readModels, each.serving)))).flat();
  }

  /** The checksum of each serving collection of a projection, by logical name. Exact while nothing is appended. */
  checksum(name: string): Promise<Record<string, CollectionChecksum>> {
    return checksumGeneration(this.parts.readModels, this.#get(name).serving);
  }

  get #control(): RebuildControl {
    if (this.#writer === undefined) throw new ProjectionCommandRefused(ANOTHER_WRITES);
    return this.#writer.control;
  }

  #get(name: string): Projection {
    const projection = this.progress.projections.get(name);
    if (projection === undefined) throw new ProjectionCommandRefused(`There is no projection ${name}`);
    return projection;
  }

  #statusOf(projection: Projection, head: Position): ProjectionStatus {
    const [log, { position }] = [this.parts.store, this.progress];
    const status = statusOf(projection, { log, head, position, perSecond: this.meter.perSecond() });
    return { ...status, lastError: status.lastError ?? this.lastError() };
  }
}
