import type { Position } from '#kernel/position';
import type { RoomContents } from './room-update.js';
import type { RoomConfig } from './sliding-request.js';
import type { Told, ToldRoom } from './told-state.js';

/** What an answer tells of a room beside its events. */
export interface ToldBeside {
  /** Bits of `TOLD`: which extensions tell of the room, and that it counts as a direct chat. */
  readonly marks: number;
  /** Something happened in the room that its client had not been told of. */
  readonly isActive: boolean;
}

/** How the client stands to a room once it has an answer that is about it: it has all up to where the answer ends. */
export function toldNow(
  before: ToldRoom | undefined,
  config: RoomConfig,
  contents: RoomContents | undefined,
  { marks, isActive }: ToldBeside,
): ToldRoom {
  const { timelineLimit, state } = config;
  if (before === undefined || contents?.initial === true)
    return { upTo: undefined, state, limit: timelineLimit, marks };
  // Behind a gap it has no more than what came after that.
  const isCut = contents?.timeline?.limited === true;
  const limit = isCut ? timelineLimit : Math.max(before.limit, timelineLimit);
  const isEnough = before.state.covers(state);
  // What was wanted once and is not now was not told as it changed.
  const isStill = isEnough && (!isActive || state.covers(before.state));
  return { upTo: undefined, state: isStill ? before.state : state, limit, marks };
}

/** How the client stands to a room that an answer is not about, though something happened in it: it has what came before `since`. */
export function toldUntil(before: ToldRoom, since: Position): ToldRoom {
  return { ...before, upTo: since };
}

/** How the client stands to what is told besides rooms; undefined where that does not change. */
export function extensionNow(
  before: Told | undefined,
  isWanted: boolean,
  since: Position | undefined,
): Told | undefined {
  if (isWanted) return before !== undefined && before.upTo === undefined ? undefined : { upTo: undefined };
  return before === undefined || before.upTo !== undefined || since === undefined ? undefined : { upTo: since };
}

/** Whether two say the same. */
export function isSameTold(a: ToldRoom | undefined, b: ToldRoom): boolean {
  return (
    a !== undefined && a.upTo === b.upTo && a.limit === b.limit && a.marks === b.marks && a.state.text === b.state.text
  );
}
