import type { Position } from '#kernel/position';
import type { SelectedRoom } from './select-rooms.js';
import type { ToldRoom } from './told-state.js';
import type { WantedState } from './wanted-state.js';

/** What is known of a room without reading it. */
interface Look {
  /** Something happened in it that the client was not told. */
  readonly isActive: boolean;
  /** More is wanted of it than the client was told. */
  readonly wantsMore: boolean;
  /** What notifies the user is something else since the client last looked. */
  readonly isRecounted: boolean;
  readonly mayHaveNews: boolean;
}

const NO_NEWS: Look = Object.freeze({ isActive: false, wantsMore: false, isRecounted: false, mayHaveNews: false });

/** Looks at the rooms of one answer. PERF: nearly all of them were told, and are wanted, alike. */
export class Looks {
  readonly #covers = new Map<WantedState, Map<WantedState, boolean>>();

  /** `isRecounted`: how much of each may be unread is something else. */
  constructor(private readonly isRecounted: boolean) {}

  at({ room, config }: SelectedRoom, told: ToldRoom | undefined, after: Position | undefined): Look {
    if (told === undefined || after === undefined) return { ...NO_NEWS, isActive: true, mayHaveNews: true };
    const isActive = room.place > after || room.known.position > after;
    const wantsMore = !this.#hasEnough({ config }, told);
    const { isRecounted } = this;
    return isActive || wantsMore || isRecounted ? { isActive, wantsMore, isRecounted, mayHaveNews: true } : NO_NEWS;
  }

  /** Whether there is nothing to tell of a room but what happened in it. */
  areDone(selected: SelectedRoom, told: ToldRoom): boolean {
    return !this.isRecounted && this.#hasEnough(selected, told);
  }

  /** Whether no more is wanted of a room than its client was told. */
  #hasEnough({ config }: Pick<SelectedRoom, 'config'>, told: ToldRoom): boolean {
    return config.timelineLimit <= told.limit && this.#isCovered(config.state, told.state);
  }

  #isCovered(wanted: WantedState, told: WantedState): boolean {
    let known = this.#covers.get(told);
    if (known === undefined) this.#covers.set(told, (known = new Map<WantedState, boolean>()));
    let covers = known.get(wanted);
    if (covers === undefined) known.set(wanted, (covers = told.covers(wanted)));
    return covers;
  }
}
