import { setTimeout as delay } from 'node:timers/promises';
import { KeyedQueue } from '#kernel/keyed-queue';
import { messageOf } from '#kernel/message-of';
import { START, type Position } from '#kernel/position';
import { LogDamaged } from '#event-store/event-store-errors';
import { ViewsUnavailable } from '#read-models/read-model-errors';
import type { Write } from '#read-models/read-model-store';
import { compareGenerations } from './compare-generations.js';
import { forgetDeadLetters, listDeadLetters } from './dead-letters.js';
import { fillGeneration, RebuildStopped, StoodStill, type Persist } from './fill-generation.js';
import type { Generation } from './generation.js';
import type { LiveLoop } from './live-loop.js';
import { firstRecord, Projection, type ProjectionRecord } from './projection.js';
import { keepOrphans } from './keep-orphans.js';
import { recordWrite } from './projection-records.js';
import { RETRY_MS, type ProjectionLog, type RuntimeParts } from './runtime-parts.js';
import { ToldFailures } from './told-failures.js';

/** The generations of all projections: which one serves, which ones are being filled, and how they take turns. */
export class Generations {
  readonly projections = new Map<string, Projection>();
  /** Facts per second that each rebuild may take; undefined: as fast as it goes. */
  throttle: number | undefined;
  /** Whether the log is followed: else commands change what is kept, and filling begins with the next start. */
  isFollowing = false;
  readonly #records = new KeyedQueue<string>();
  readonly #background = new Set<Promise<void>>();
  readonly #stopping = new AbortController();

  constructor(
    readonly parts: RuntimeParts,
    readonly live: LiveLoop,
    readonly log: ProjectionLog,
  ) {}

  /** Takes up what is stored, or begins anew where nothing is, without reading the log. */
  async load(records: ReadonlyMap<string, ProjectionRecord>, checkpoint: Position, facts: number): Promise<void> {
    for (const projector of this.parts.projectors) {
      const { name } = projector;
      const projection = new Projection(projector, records.get(name) ?? firstRecord(projector, checkpoint));
      this.projections.set(name, projection);
      const ofOthers = projection.letGoOfOthers();
      projection.takeCount(facts);
      if (!projection.isWritable && projection.leaveBehind(checkpoint)) {
        const { serving, next } = projection;
        this.log.info(`${name}: version ${serving.version} serves while version ${next?.generation.version} is filled`);
      }
      if (projection.next?.state === 'failed') Object.assign(projection.next, { state: 'filling', error: undefined });
      for (const generation of [projection.serving, projection.next?.generation]) {
        if (generation === undefined) continue;
        if (generation.at === 'live') this.live.members.set(generation, projector);
        generation.deadLetters = (await listDeadLetters(this.parts.readModels, generation)).length;
      }
      await this.persist(projection);
      await this.drop(ofOthers);
    }
    await keepOrphans(this.parts.readModels, records, this.projections, checkpoint);
  }

  /** Starts or goes on with all filling that is due. Nothing happens where it runs already. */
  resumeFilling(projection: Projection): void {
    if (!this.isFollowing || projection.paused !== undefined) return;
    const { serving, next } = projection;
    if (serving.at !== 'live' && projection.isWritable) this.#fill(projection, serving);
    if (next?.state === 'filling') this.#fill(projection, next.generation);
  }

  /** Ends all filling of a projection where it is; settles when it has ended. Not to be waited for within `exclusively`. */
  endFilling(projection: Projection): Promise<unknown> {
    for (const { abort } of projection.fillings.values()) abort.abort();
    return Promise.all([...projection.fillings.values()].map((filling) => filling.done));
  }

  /** Ends everything that runs in the background. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all([...this.projections.values()].map((each) => this.endFilling(each)));
    await Promise.all(this.#background);
  }

  /**
   * Lets a generation go on at its own pace that keeps those waiting that move with it: it has a checkpoint of its own until it
   * keeps up again. Only within `exclusively`.
   */
  async setApart(generation: Generation): Promise<void> {
    const projection = this.projections.get(generation.owner)!; // only those are members
    const { next, projector } = projection;
    await this.persist(projection, () => {
      this.standStill(generation);
      const isNext = next?.generation === generation;
      if (isNext) next.state = 'filling';
      return () => {
        this.live.members.set(generation, projector);
        generation.at = 'live';
        if (isNext) next.state = 'ready';
      };
    });
    generation.lateAt = performance.now();
    this.log.info(`${projection.name}: takes long over the facts after ${generation.at}, and goes on by itself`);
    this.resumeFilling(projection);
  }

  /** Takes a generation out of those that move with the log. Only within `exclusively`. */
  standStill(generation: Generation): void {
    this.live.members.delete(generation);
    if (generation.at === 'live') generation.at = this.live.position;
  }

  /**
   * Lets the next generation serve, in one write, and keeps the former one. Only within `exclusively`, when both stand where
   * the live ones stand.
   */
  async flip(projection: Projection): Promise<void> {
    const { next, serving, previous } = projection;
    if (next === undefined) return;
    const { at, hasStoodStill } = next.generation;
    const wasLive = this.live.members.has(serving);
    await this.persist(projection, () => {
      this.standStill(serving);
      Object.assign(next.generation, { at: 'live', hasStoodStill: undefined });
      Object.assign(projection, { serving: next.generation, previous: serving, next: undefined });
      return () => {
        if (wasLive) {
          this.live.members.set(serving, projection.projector);
          serving.at = 'live';
        }
        Object.assign(next.generation, { at, hasStoodStill });
        Object.assign(projection, { serving, previous, next });
      };
    });
    // Where it went by itself it is on its way still.
    projection.fillings.get(serving)?.abort.abort();
    const { generation, version } = next.generation;
    this.log.info(`${projection.name}: generation ${generation} (version ${version}) serves`);
    if (previous !== undefined) this.#inBackground(projection, this.drop(previous));
    if (serving.version === version)
      this.#inBackground(projection, this.#compare(projection, next.generation, serving));
  }

  /** Drops the rows of generations that nothing refers to any more. */
  async drop(...generations: (Generation | undefined)[]): Promise<void> {
    for (const generation of generations) {
      if (generation === undefined) continue;
      for (const physical of generation.physical.values()) await this.parts.readModels.drop(physical);
      await this.parts.readModels.write(await forgetDeadLetters(this.parts.readModels, generation));
    }
  }

  /** Drops collections that a crash left behind between the change of a record and the drop. */
  async dropLeftovers(): Promise<void> {
    for (const name of await this.parts.readModels.collections()) {
      const owner = this.projections.get(/^(.+)\..+@\d+-\d+$/.exec(name)?.[1] ?? '');
      const generations = [owner?.serving, owner?.previous, owner?.next?.generation];
      const isKnown = generations.some((each) => each !== undefined && [...each.physical.values()].includes(name));
      if (owner !== undefined && !isKnown) await this.parts.readModels.drop(name);
    }
  }

  readonly persist: Persist = (projection, change = () => () => {}, rows = []) =>
    this.#records.run(projection.name, async () => {
      const undo = change();
      const writes: Write[] = [...rows, recordWrite(projection.name, projection.toRecord())];
      await this.#write(writes).catch((error: unknown) => {
        undo();
        throw error;
      });
    });

  async #write(writes: readonly Write[]): Promise<void> {
    for (;;) {
      try {
        return await this.parts.readModels.write(writes);
      } catch (error) {
        if (!(error instanceof ViewsUnavailable) || this.#stopping.signal.aborted) throw error;
        await delay(RETRY_MS, undefined, { signal: this.#stopping.signal }).catch(() => {});
      }
    }
  }

  #fill(projection: Projection, generation: Generation): void {
    const underWay = projection.fillings.get(generation);
    if (underWay !== undefined) {
      // One that is being ended may be asked for again meanwhile.
      if (underWay.abort.signal.aborted) void underWay.done.then(() => this.resumeFilling(projection));
      return;
    }
    const abort = new AbortController();
    const done = this.#fillUntilDone(projection, generation, abort.signal)
      .catch((error: unknown) => this.log.error(`${projection.name}: ${String(error)}`))
      .finally(() => {
        projection.fillings.delete(generation);
        this.live.progress.settle();
      });
    projection.fillings.set(generation, { abort, done });
  }

  async #fillUntilDone(projection: Projection, generation: Generation, signal: AbortSignal): Promise<void> {
    const { parts, live } = this;
    const onJoined = (): Promise<void> => this.#joined(projection, generation);
    const onDeadLetter = (): void => void generation.deadLetters++;
    const throttle = generation === projection.serving ? undefined : this.throttle;
    const failures = new ToldFailures(this.log, `Who fills ${projection.name}`);
    while (!signal.aborted) {
      try {
        await fillGeneration({
          parts,
          live,
          projection,
          generation,
          signal,
          throttle,
          persist: this.persist,
          onDeadLetter,
          onJoined,
        });
        failures.end();
        return;
      } catch (error) {
        if (signal.aborted) return;
        projection.lastError = messageOf(error);
        if (error instanceof StoodStill) return await this.#fillAnew(projection, generation);
        if (error instanceof RebuildStopped || error instanceof LogDamaged) {
          this.log.error(`${projection.name}: ${projection.lastError}`);
          return await this.#fail(projection, error.message);
        }
        await delay(failures.note(error), undefined, { signal }).catch(() => {});
      }
    }
  }

  /** In place of one that cannot go on from where it stood still. */
  async #fillAnew(projection: Projection, former: Generation): Promise<void> {
    await this.live.exclusively(async () => {
      const { next } = projection;
      if (next?.generation !== former) return;
      await this.persist(projection, () => {
        projection.next = { ...next, generation: projection.makeGeneration(START) };
        return () => (projection.next = next);
      });
      this.log.info(`${projection.name}: generation ${former.generation} cannot go on, for the log has forgotten meanwhile what it has: it is filled anew`); // prettier-ignore
      this.#inBackground(projection, this.drop(former));
    });
    this.resumeFilling(projection);
  }

  async #fail(projection: Projection, error: string): Promise<void> {
    await this.persist(projection, () => {
      const { next } = projection;
      if (next !== undefined) Object.assign(next, { state: 'failed', error }).generation.hasStoodStill = true;
      return () => {};
    });
  }

  async #joined(projection: Projection, generation: Generation): Promise<void> {
    const { next } = projection;
    projection.lastError = undefined;
    if (generation === next?.generation && !next.byHand) return this.flip(projection);
    await this.persist(projection, () => {
      generation.at = 'live';
      if (generation === next?.generation) next.state = 'ready';
      return () => {};
    });
  }

  #inBackground(projection: Projection, work: Promise<unknown>): void {
    const guarded: Promise<void> = work
      .then(
        () => {},
        (error: unknown) => this.log.error(`${projection.name}: ${String(error)}`),
      )
      .finally(() => this.#background.delete(guarded));
    this.#background.add(guarded);
  }

  async #compare(projection: Projection, serving: Generation, replaced: Generation): Promise<void> {
    serving.touched = new Set();
    const comparison = await compareGenerations(this.parts.readModels, serving, replaced).finally(
      () => (serving.touched = undefined),
    );
    if (projection.serving !== serving || projection.previous !== replaced) return;
    if (comparison.differences > 0) {
      const { differences, examples } = comparison;
      this.log.warn(
        `${projection.name}: the rebuild differs from what it replaced in ${differences} rows: ${JSON.stringify(examples)}`,
      );
    }
    await this.persist(projection, () => {
      projection.comparison = comparison;
      return () => {};
    });
  }
}
