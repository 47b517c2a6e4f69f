import type { EventStore } from '#event-store/event-store';
import type { Clock } from '#kernel/clock';
import type { Position } from '#kernel/position';
import type { ReadModelStore } from '#read-models/read-model-store';
import { ForgottenMarks } from './forgotten-marks.js';
import type { Views } from './views.js';
import type { ViewsProgress } from './views-progress.js';

export interface KeptParts {
  readonly store: EventStore;
  readonly clock: Clock;
  readonly readModels: Pick<ReadModelStore, 'flush'>;
}

/** For who takes out of the log what views could not do without: see `Views.whenKept`. */
export class KeptViews {
  readonly #marks: ForgottenMarks;

  constructor(
    private readonly parts: KeptParts,
    private readonly progress: ViewsProgress,
    private readonly views: Pick<Views, 'confirm' | 'history'>,
  ) {
    this.#marks = new ForgottenMarks(parts.store, parts.clock);
  }

  async whenKept(position: Position, collections: readonly string[]): Promise<void> {
    await this.views.confirm(); // with what others began to fill
    const had = await this.progress.untilAllHave(position, collections);
    await this.parts.readModels.flush();
    await this.views.confirm(); // of what the store has lost nothing is kept
    const names = new Set(collections.map((name) => this.progress.ownerOf(name).name));
    await this.#marks.note([...names], had, this.views.history);
  }
}
