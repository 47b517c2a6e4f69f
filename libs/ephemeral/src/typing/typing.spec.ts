import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { NO_TYPING, type TypingMark } from '#http/tokens/typing-mark';
import type { RoomId, UserId } from '#kernel/ids';
import { Typing } from './typing.js';

const room = '!room:x' as RoomId;
const alice = '@alice:x' as UserId;
const bob = '@bob:x' as UserId;

let typing: Typing;
let changes: RoomId[];

beforeEach(() => {
  vi.useFakeTimers();
  typing = new Typing();
  changes = [];
  typing.onChange((roomId) => changes.push(roomId));
});
afterEach(() => {
  typing.onModuleDestroy();
  vi.useRealTimers();
});

describe('Typing', () => {
  it('shows who types until they stop or the time is up, and tells of each change', () => {
    typing.start(room, alice, 1_000);
    typing.start(room, bob, 5_000);
    expect(typing.listTyping(room)).toEqual([alice, bob]);
    vi.advanceTimersByTime(1_500);
    expect(typing.listTyping(room)).toEqual([bob]);
    typing.stop(room, bob);
    expect(typing.listTyping(room)).toEqual([]);
    expect(changes).toHaveLength(4);
  });

  it('takes another time for one who types already, without calling it a change', () => {
    typing.start(room, alice, 1_000);
    vi.advanceTimersByTime(900);
    typing.start(room, alice, 1_000);
    vi.advanceTimersByTime(900);
    expect(typing.listTyping(room)).toEqual([alice]);
    expect(changes).toHaveLength(1);
  });

  it('bounds how long somebody types without saying so', () => {
    typing.start(room, alice, 1e9);
    vi.advanceTimersByTime(120_001);
    expect(typing.listTyping(room)).toEqual([]);
  });

  it('tells who begins also that somebody types no more, and nothing of rooms in which nobody typed lately', () => {
    const isTold = (until: TypingMark): boolean => typing.hasNewsForBeginner(room, until);
    const now = (): TypingMark => typing.mark(() => true);
    const before = now();
    expect(isTold(before)).toBe(false);
    typing.start(room, alice, 1_000);
    expect([isTold(before), isTold(now())]).toEqual([false, true]);
    typing.stop(room, alice);
    expect(isTold(now())).toBe(true);
  });

  it('has news for who heard of less, and none of what is after the end of the answer', () => {
    const before = typing.mark(() => true);
    typing.start(room, alice, 1_000);
    const after = typing.mark(() => true);
    expect(typing.hasNews(room, before, after)).toBe(true);
    expect(typing.hasNews(room, NO_TYPING, after)).toBe(true);
    expect(typing.hasNews(room, after, after)).toBe(false);
    expect(typing.hasNews(room, before, before)).toBe(false);
    expect(typing.hasNews('!other:x' as RoomId, before, after)).toBe(false);
    expect([before, after, NO_TYPING].map((since) => typing.isQuietSince(since))).toEqual([false, true, false]);
  });

  it('says nothing where nothing changes', () => {
    const before = typing.mark(() => true);
    typing.stop(room, alice);
    expect(changes).toEqual([]);
    expect(typing.mark(() => true)).toEqual(before);
  });

  it('tells who comes from an earlier run of what has ended, and of what is now, whatever the clock says', () => {
    const quiet = '!quiet:x' as RoomId;
    const busy = '!busy:x' as RoomId;
    typing.start(quiet, bob, 1_000);
    typing.stop(quiet, bob);
    typing.start(room, alice, 1_000);
    const old = typing.mark((roomId) => roomId !== busy);
    const next = new Typing();
    const news = (roomId: RoomId, since = old): boolean =>
      next.hasNews(
        roomId,
        since,
        next.mark(() => true),
      );
    expect([news(room), news(quiet), news(busy)]).toEqual([true, false, false]);
    next.start(busy, bob, 1_000);
    expect([news(room), news(quiet), news(busy)]).toEqual([true, false, true]);
    expect(news(room, typing.mark((roomId) => roomId === quiet))).toBe(false); // prettier-ignore
    const told = next.mark(() => true);
    expect([news(room, told), news(busy, told)]).toEqual([false, false]);
    next.onModuleDestroy();
  });

  it('says of all rooms that they may have changed where too many of them are busy', () => {
    for (let i = 0; i < 40; i++) typing.start(`!${i}:x` as RoomId, alice, 1_000);
    const next = new Typing();
    expect(typing.mark(() => true).rooms).toBe('all');
    expect(typing.mark((roomId) => roomId === '!7:x').rooms).toHaveLength(1);
    expect(next.hasNews(room, typing.mark(() => true), next.mark(() => true))).toBe(true); // prettier-ignore
  });

  it('tells clients that it has ended also in rooms that are not remembered any more', () => {
    typing.start(room, alice, 1_000);
    const told = typing.mark(() => true);
    typing.stop(room, alice);
    const heard = typing.mark(() => true);
    for (let i = 0; i < 10_001; i++) {
      typing.start(`!${i}:x` as RoomId, bob, 1_000);
      typing.stop(`!${i}:x` as RoomId, bob);
    }
    const now = typing.mark(() => true);
    expect(typing.hasNews(room, told, now)).toBe(true);
    expect(typing.hasNews(room, heard, now)).toBe(false);
  });

  it('ends everywhere at once', () => {
    typing.start(room, alice, 1_000);
    typing.start('!other:x' as RoomId, alice, 1_000);
    typing.start(room, bob, 1_000);
    typing.stopEverywhere(alice);
    expect([typing.listTyping(room), typing.isBusy('!other:x' as RoomId)]).toEqual([[bob], false]);
  });
});
