import type { EventStore } from '#event-store/event-store';
import { LogHistory } from '#event-store/log-history';
import { START } from '#kernel/position';
import type { ReadModelStore } from '#read-models/read-model-store';
import { beginBehindAnew } from './begin-anew.js';
import { checksumGeneration, type CollectionChecksum } from './checksums.js';
import { listDeadLetters, type DeadLetter } from './dead-letters.js';
import { findForgotten } from './forgotten-marks.js';
import { firstRecord, Projection } from './projection.js';
import { NOTHING_STORED } from './projection-records.js';
import { type LogProgress, statusOf, type ProjectionStatus } from './projection-status.js';
import type { Projector } from './projector.js';
import { ProjectionCommandRefused } from './rebuild-control.js';
import { readOwnedState } from './whose-views.js';

/** What is stored of the projections while nothing runs them. Reads only. */
export class StoredProjections {
  private constructor(
    private readonly store: EventStore,
    private readonly readModels: ReadModelStore | undefined,
    private readonly projections: ReadonlyMap<string, Projection>,
    private readonly checkpoint: ProjectionStatus['position'],
    /** Why the views are not those of the log (see `readOwnedState`): then they are told of as if there were none. */
    readonly foreign: string | undefined,
    /** Those that the next start fills anew (see `beginBehindAnew`): they are told of as if nothing were there. */
    readonly anew: readonly string[],
  ) {}

  /** `stored`: undefined where nothing was ever projected. */
  static async read(
    store: EventStore,
    stored: ReadModelStore | undefined,
    projectors: readonly Projector[],
  ): Promise<StoredProjections> {
    const owned = stored === undefined ? undefined : await readOwnedState(store, stored);
    const readModels = owned?.foreign === undefined ? stored : undefined;
    const state = owned === undefined || readModels === undefined ? NOTHING_STORED : owned;
    const { checkpoint } = state;
    const history = owned?.history ?? LogHistory.UNBROKEN;
    const { records, anew } = beginBehindAnew(projectors, state, await findForgotten(store, history));
    const position = checkpoint?.position ?? START;
    const projections = new Map<string, Projection>();
    for (const projector of projectors) {
      const { name } = projector;
      const projection = new Projection(projector, records.get(name) ?? firstRecord(projector, position));
      projection.takeCount(checkpoint?.facts ?? 0);
      if (readModels !== undefined) {
        projection.serving.deadLetters = (await listDeadLetters(readModels, projection.serving)).length;
      }
      projections.set(name, projection);
    }
    return new StoredProjections(store, readModels, projections, position, owned?.foreign, anew);
  }

  /** As `ProjectionOperations.list`. */
  async list(): Promise<ProjectionStatus[]> {
    const live = await this.#progress();
    return [...this.projections.values()].map((projection) => statusOf(projection, live));
  }

  /** As `ProjectionOperations.status`. */
  async status(name: string): Promise<ProjectionStatus> {
    return statusOf(this.#get(name), await this.#progress());
  }

  /** As `ProjectionOperations.deadLetters`. */
  async deadLetters(name?: string): Promise<DeadLetter[]> {
    const { readModels } = this;
    if (readModels === undefined) return [];
    const projections = name === undefined ? [...this.projections.values()] : [this.#get(name)];
    return (await Promise.all(projections.map(({ serving }) => listDeadLetters(readModels, serving)))).flat();
  }

  /** As `ProjectionOperations.checksum`. */
  async checksum(name: string): Promise<Record<string, CollectionChecksum>> {
    const { serving } = this.#get(name);
    return this.readModels === undefined ? {} : checksumGeneration(this.readModels, serving);
  }

  async #progress(): Promise<LogProgress> {
    return { log: this.store, head: await this.store.head(), position: this.checkpoint, perSecond: 0 };
  }

  #get(name: string): Projection {
    const projection = this.projections.get(name);
    if (projection === undefined) throw new ProjectionCommandRefused(`There is no projection ${name}`);
    return projection;
  }
}
