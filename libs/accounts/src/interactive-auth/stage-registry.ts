import { Injectable } from '@nestjs/common';
import type { Stage } from './stage.js';

/** The stages that there are, of whatever library: each adds itself as it is made, before the server listens. */
@Injectable()
export class StageRegistry {
  readonly #stages = new Map<string, Stage>();

  /** Throws where there is one of that type already: two would answer for each other. */
  add(stage: Stage): void {
    if (this.#stages.has(stage.type)) throw new Error(`there are two stages ${stage.type}`);
    this.#stages.set(stage.type, stage);
  }

  find(type: string): Stage | undefined {
    return this.#stages.get(type);
  }

  /** Of a session's operation, whose stages were all found when it was opened. */
  get(type: string): Stage {
    const stage = this.#stages.get(type);
    if (stage === undefined) throw new Error(`there is no stage ${type}`);
    return stage;
  }

  /** In the order in which they stand in flows. */
  get all(): readonly Stage[] {
    return [...this.#stages.values()].sort((one, other) => one.rank - other.rank || (one.type < other.type ? -1 : 1));
  }
}
