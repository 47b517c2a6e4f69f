import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { RoomId, UserId } from '#kernel/ids';
import { Typing } from './typing.js';

const room = '!room:x' as RoomId;
const alice = '@alice:x' as UserId;
const bob = '@bob:x' as UserId;

let typing: Typing;
let changes: RoomId[];

beforeEach(() => {
  vi.useFakeTimers();
  typing = new Typing({ now: () => 1_000 });
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

  it('numbers the changes, from the time of its start on', () => {
    const before = typing.sequence;
    expect(before).toBe(1_000);
    typing.start(room, alice, 1_000);
    expect(typing.hasChangedSince(room, before)).toBe(true);
    expect(typing.hasChangedSince(room, typing.sequence)).toBe(false);
    expect(typing.hasChangedSince('!other:x' as RoomId, before)).toBe(false);
  });

  it('says nothing where nothing changes', () => {
    typing.stop(room, alice);
    expect(changes).toEqual([]);
    expect(typing.sequence).toBe(1_000);
  });
});
