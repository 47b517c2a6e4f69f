import { type Position, START } from '#kernel/position';
import type { Generation } from './generation.js';
import type { Generations } from './generations.js';
import type { LiveLoop } from './live-loop.js';
import type { Next, Pause, Projection } from './projection.js';

export interface RebuildOptions {
  /** Fill it, keep it up to date and wait for `switch`, instead of serving it as soon as it is filled. */
  readonly switchByHand?: boolean;
  /** Begin with the first fact even where a cancelled rebuild could go on. */
  readonly fromStart?: boolean;
}

/** A command that makes no sense in the state the projection is in. */
export class ProjectionCommandRefused extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ProjectionCommandRefused';
  }
}

/** What an operator can do to a projection. Every change is kept before it counts, so that it survives a restart. */
export class RebuildControl {
  constructor(
    readonly generations: Generations,
    readonly live: LiveLoop,
  ) {}

  get(name: string): Projection {
    const projection = this.generations.projections.get(name);
    if (projection === undefined) throw new ProjectionCommandRefused(`There is no projection ${name}`);
    return projection;
  }

  async rebuild(name: string, { switchByHand = false, fromStart = false }: RebuildOptions): Promise<void> {
    const projection = this.get(name);
    const dropped: (Generation | undefined)[] = [];
    await this.live.exclusively(async () => {
      refuseIf(projection.paused !== undefined, `${name} is paused: resume it first`);
      refuseIf(projection.next?.state === 'filling', `${name} is being rebuilt already`);
      const { next, previous } = projection;
      const goesOn =
        next?.state === 'cancelled' && next.generation.version === projection.projector.version && !fromStart;
      if (!goesOn) dropped.push(next?.generation, previous);
      if (next !== undefined) this.generations.standStill(next.generation);
      const generation = goesOn ? next.generation : projection.makeGeneration(START);
      if (goesOn) generation.hasStoodStill = true;
      await this.#change(projection, {
        next: { generation, state: 'filling', byHand: switchByHand, error: undefined },
        previous: goesOn ? previous : undefined,
      });
    });
    this.generations.resumeFilling(projection);
    await this.generations.drop(...dropped);
  }

  async switch(name: string): Promise<void> {
    const projection = this.get(name);
    await this.live.exclusively(async () => {
      const { next } = projection;
      if (next?.state === 'ready') return this.generations.flip(projection);
      if (next?.state !== 'filling') throw new ProjectionCommandRefused(`${name} has no generation to switch to`);
      await this.#change(projection, { next: { ...next, byHand: false } });
    });
  }

  async rollback(name: string): Promise<void> {
    const projection = this.get(name);
    await this.live.exclusively(async () => {
      refuseIf(projection.paused !== undefined, `${name} is paused: resume it first`);
      const { previous, next, projector } = projection;
      if (previous === undefined) throw new ProjectionCommandRefused(`${name} has no former generation`);
      refuseIf(next !== undefined && next.state !== 'cancelled', `${name} is being rebuilt: cancel that first`);
      const { version } = previous;
      refuseIf(
        version !== projector.version,
        `the former generation is of version ${version}: start the code that wrote it`,
      );
      const back: Next = { generation: previous, state: 'filling', byHand: false, error: undefined };
      previous.hasStoodStill = true;
      await this.#change(projection, { next: back, previous: undefined });
      if (next !== undefined) await this.generations.drop(next.generation);
    });
    this.generations.resumeFilling(projection);
  }

  async pause(name: string, pause: Pause): Promise<void> {
    const projection = this.get(name);
    try {
      await this.live.exclusively(async () => {
        void this.generations.endFilling(projection); // none may join any more
        const { serving, next } = projection;
        for (const generation of [serving, next?.generation]) if (generation) this.generations.standStill(generation);
        const waits = next?.state === 'ready' ? { ...next, state: 'filling' as const } : next;
        await this.#change(projection, { paused: pause, next: waits });
      });
      await this.generations.endFilling(projection);
    } catch (error) {
      this.generations.resumeFilling(projection);
      throw error;
    }
  }

  async resume(name: string): Promise<void> {
    const projection = this.get(name);
    await this.live.exclusively(async () => {
      const { next } = projection;
      const again = next?.state === 'failed' ? { ...next, state: 'filling' as const, error: undefined } : next;
      await this.#change(projection, { paused: undefined, next: again });
    });
    projection.lastError = undefined;
    this.generations.resumeFilling(projection);
  }

  async cancel(name: string): Promise<void> {
    const projection = this.get(name);
    const { next } = projection;
    if (next === undefined) throw new ProjectionCommandRefused(`${name} is not being rebuilt`);
    projection.fillings.get(next.generation)?.abort.abort();
    await projection.fillings.get(next.generation)?.done;
    await this.live.exclusively(async () => {
      if (projection.next?.generation !== next.generation) return; // it was filled in this very moment, and serves
      projection.fillings.get(next.generation)?.abort.abort(); // somebody had it go on meanwhile
      this.generations.standStill(next.generation);
      await this.#change(projection, { next: { ...projection.next, state: 'cancelled' } });
    });
    this.live.progress.settle(); // nobody waits for it any more
  }

  /** Lets go of what nobody moves and stands before a position: the generations that served before, and those whose rebuild was cancelled. */
  async dropBehind(position: Position): Promise<void> {
    for (const projection of this.generations.projections.values()) {
      const dropped = await this.live.exclusively(() => this.#leaveOut(projection, position));
      await this.generations.drop(...dropped);
    }
  }

  async #leaveOut(projection: Projection, position: Position): Promise<readonly (Generation | undefined)[]> {
    const { previous, next } = projection;
    const isBehind = ({ at }: Generation): boolean => at !== 'live' && at < position;
    const former = previous !== undefined && isBehind(previous) ? previous : undefined;
    const cancelled = next?.state === 'cancelled' && isBehind(next.generation) ? next.generation : undefined;
    if (former === undefined && cancelled === undefined) return [];
    await this.#change(projection, {
      previous: former === undefined ? previous : undefined,
      next: cancelled === undefined ? next : undefined,
    });
    return [former, cancelled];
  }

  #change(projection: Projection, changes: Partial<Pick<Projection, 'next' | 'previous' | 'paused'>>): Promise<void> {
    return this.generations.persist(projection, () => {
      const { next, previous, paused } = projection;
      Object.assign(projection, changes);
      return () => Object.assign(projection, { next, previous, paused });
    });
  }
}

function refuseIf(condition: boolean, reason: string): void {
  if (condition) throw new ProjectionCommandRefused(reason);
}
