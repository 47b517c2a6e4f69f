import { describe, expect, it } from 'vitest';
import type { EventId } from '#kernel/ids';
import type { RoomEvent } from '#protocol/room-event';
import { AuthOrder, sortByAuth } from './auth-order.js';

interface One {
  readonly event: RoomEvent;
}

function one(eventId: string, ...authEvents: readonly string[]): One {
  return { event: { eventId: eventId as EventId, authEvents: authEvents as EventId[] } as unknown as RoomEvent };
}

/** An order, and what it lets be judged as something comes: ids, and where there is a step between them `undefined`. */
function start(): { order: AuthOrder<One>; come(next: One): (string | undefined)[] } {
  const judged = new Set<string>();
  const order = new AuthOrder<One>((eventId) => judged.has(eventId));
  const come = (next: One): (string | undefined)[] =>
    Array.from(order.add(next), (due) => {
      for (const each of due?.event.authEvents ?? []) expect(judged).toContain(each);
      if (due !== undefined) judged.add(due.event.eventId);
      return due?.event.eventId;
    });
  return { order, come };
}

describe('events that come before their auth events', () => {
  it('wait for the last of these, and for those that wait themselves', () => {
    const { order, come } = start();
    expect(come(one('$c', '$a', '$b'))).toEqual([]);
    expect(come(one('$d', '$c', '$a'))).toEqual([]);
    expect(come(one('$b'))).toEqual(['$b']);
    expect(order.waiting).toBe(2);
    expect(come(one('$a'))).toEqual(['$a', '$c', '$d']);
    expect(order.waiting).toBe(0);
    expect(come(one('$a'))).toEqual([]);
  });

  it('are looked at in steps where many wait for one, whether or not they wait for others too', () => {
    const { come } = start();
    const many = Array.from({ length: 1_000 }, (_, i) => `$${i}`);
    for (const id of many) come(one(id, '$a', '$b'));
    const counted = come(one('$a'));
    expect(counted.filter((id) => id !== undefined)).toEqual(['$a']);
    expect(counted.length).toBeGreaterThan(10);
    const freed = come(one('$b'));
    expect(freed.filter((id) => id !== undefined)).toEqual(['$b', ...many]);
  });
});

it('a list is sorted so that each comes after those of its auth events that are in it, but for what names itself in a circle', () => {
  const list = [one('$c', '$a', '$elsewhere'), one('$x', '$y'), one('$y', '$x'), one('$b', '$a'), one('$a')];
  expect(sortByAuth(list).map(({ event }) => event.eventId)).toEqual(['$a', '$c', '$b']);
});
