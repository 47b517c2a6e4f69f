import { describe, expect, it } from 'vitest';
import { positionOf } from '#testing/position-of';
import { extensionNow, isSameTold, toldNow, toldUntil } from './next-told.js';
import type { RoomContents } from './room-update.js';
import type { ToldRoom } from './told-state.js';
import { WantedState } from './wanted-state.js';

const wants = (...types: string[]): WantedState =>
  WantedState.of([{ include: types.map((type) => ({ type })), exclude: [], lazyMembers: false }]);
const config = (timelineLimit: number, ...types: string[]): { timelineLimit: number; state: WantedState } => ({
  timelineLimit,
  state: wants(...types),
});
const told = (limit: number, ...types: string[]): ToldRoom => ({
  upTo: undefined,
  state: wants(...types),
  limit,
  marks: 0,
});
const timeline = (limited: boolean): RoomContents => ({
  initial: false,
  timeline: { events: [], ids: [], limited, isExpanded: false, prevBatch: 't', live: 0 },
});
const QUIET = { marks: 0, isActive: false };
const ACTIVE = { marks: 0, isActive: true };

describe('how a client stands to a room after an answer', () => {
  it('is by what was asked for, where it is told of the room for the first time or anew', () => {
    expect(toldNow(undefined, config(3, 'a'), undefined, ACTIVE)).toEqual(told(3, 'a'));
    expect(toldNow(told(20, 'a', 'b'), config(3, 'c'), { initial: true }, ACTIVE)).toEqual(told(3, 'c'));
  });

  it('keeps the longest timeline that it was told, up to a gap', () => {
    expect(toldNow(told(20), config(1), timeline(false), ACTIVE).limit).toBe(20);
    expect(toldNow(told(1), config(20), timeline(false), ACTIVE).limit).toBe(20);
    expect(toldNow(told(20), config(1), timeline(true), ACTIVE).limit).toBe(1);
  });

  it('keeps the state that was told, until something happens that may have changed what is wanted no more', () => {
    expect(toldNow(told(1, 'a', 'b'), config(1, 'a'), undefined, QUIET).state.text).toBe(wants('a', 'b').text);
    expect(toldNow(told(1, 'a', 'b'), config(1, 'a'), timeline(false), ACTIVE).state.text).toBe(wants('a').text);
    expect(toldNow(told(1, 'a'), config(1, 'a', 'b'), timeline(false), QUIET).state.text).toBe(wants('a', 'b').text);
  });

  it('is live again after it was left behind', () => {
    const before = toldUntil(told(1), positionOf(5));
    expect(before.upTo).toBe(positionOf(5));
    expect(toldNow(before, config(1), undefined, QUIET).upTo).toBeUndefined();
  });

  it('is the same where all of it is', () => {
    expect(isSameTold(told(1, 'a'), toldNow(told(1, 'a'), config(1, 'a'), timeline(false), ACTIVE))).toBe(true);
    expect(isSameTold(told(1), toldNow(told(1), config(1), undefined, { ...QUIET, marks: 1 }))).toBe(false);
    expect(isSameTold(undefined, told(1))).toBe(false);
  });
});

describe('how a client stands to what is told besides rooms', () => {
  const at = positionOf(4);
  it('is live while it is asked for, and from when it is not has what came before', () => {
    expect(extensionNow(undefined, true, at)).toEqual({ upTo: undefined });
    expect(extensionNow({ upTo: undefined }, true, at)).toBeUndefined();
    expect(extensionNow({ upTo: undefined }, false, at)).toEqual({ upTo: at });
    expect(extensionNow({ upTo: at }, false, positionOf(9))).toBeUndefined();
    expect(extensionNow({ upTo: at }, true, positionOf(9))).toEqual({ upTo: undefined });
    expect(extensionNow(undefined, false, at)).toBeUndefined();
  });
});
