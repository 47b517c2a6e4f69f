import type { RecordedFact } from '#event-store/event-store';
import type { Position } from '#kernel/position';
import type { FollowedViews } from './effects/effect-lane.js';
import type { EffectRunner } from './effects/effect-runner.js';
import { FactFeed } from './fact-feed.js';
import type { Listener } from './listener.js';
import type { ProjectionLog, RuntimeParts } from './runtime-parts.js';
import { ToldFailures } from './told-failures.js';
import type { ViewsProgress } from './views-progress.js';

/** Tells the effects and each listener of what happens, each when the projections that it reads have it. */
export class FactFeeds {
  #feeds: readonly FactFeed[] = [];

  constructor(
    private readonly parts: Pick<RuntimeParts, 'store' | 'listeners'>,
    private readonly log: ProjectionLog,
    private readonly progress: ViewsProgress,
    private readonly effects: Pick<EffectRunner, 'hear'>,
    private readonly signal: AbortSignal,
  ) {}

  /** Tells from now on: effects of what the views come by next, and listeners of what comes after a position, unless they hear of that, too (`hearsPast`). */
  begin(after: Position): void {
    const { listeners } = this.parts;
    for (const each of listeners) each.begin?.(after);
    const { position } = this.progress;
    const toEffects = this.#make('Who tells the effects', (facts) => this.effects.hear(facts), {
      reads: undefined,
      after: position,
    });
    const toListeners = listeners.map((each) =>
      this.#make(`The listener ${each.name}`, (facts) => this.#tell(each, facts), {
        reads: each.reads,
        after: each.hearsPast === true ? position : after,
      }),
    );
    this.#feeds = [toEffects, ...toListeners];
  }

  /** Tells what the views have by now, of whoever they have it: what is offered next comes after that. */
  look(): void {
    for (const feed of this.#feeds) feed.look();
  }

  /** The next facts, which those projections have passed that move together. */
  offer(facts: readonly RecordedFact[]): void {
    for (const feed of this.#feeds) feed.offer(facts);
  }

  /** Why some cannot go on, each in one line. */
  get failures(): string[] {
    return this.#feeds.flatMap(({ failure }) => failure ?? []);
  }

  #make(
    who: string,
    hear: FactFeed['hear'],
    { reads, after }: { readonly reads: readonly string[] | undefined; readonly after: Position },
  ): FactFeed {
    const { progress, signal } = this;
    const parts = { store: this.parts.store, progress, failures: new ToldFailures(this.log, who), signal };
    return new FactFeed(parts, hear, reads, after);
  }

  #tell(listener: Listener, facts: readonly RecordedFact[]): void {
    try {
      listener.hear(facts);
    } catch (error) {
      this.log.error(`The listener ${listener.name} threw: ${String(error)}`);
    }
  }
}

/** The views as somebody follows them who may read any. */
export function followAll(progress: ViewsProgress, confirm: () => Promise<void>): FollowedViews {
  return {
    get position() {
      return progress.passed();
    },
    get areThere() {
      return progress.areThere;
    },
    confirm,
    whenProcessed: (position) => progress.untilAllPassed(position),
  };
}
