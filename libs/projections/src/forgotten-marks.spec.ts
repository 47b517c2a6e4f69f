import { expect, test, vi } from 'vitest';
import { LogHistory } from '#event-store/log-history';
import type { Position } from '#kernel/position';
import { MemoryEventStore } from '#testing/memory-event-store';
import { findForgotten, ForgottenMarks } from './forgotten-marks.js';

const clock = { now: () => 7 };
const { UNBROKEN } = LogHistory;
const position = (number: number): Position => String(number).padStart(19, '0') as Position;

const upTo = async (store: MemoryEventStore, history = UNBROKEN): Promise<Record<string, Position>> =>
  Object.fromEntries((await findForgotten(store, history)).upTo);

test('up to where something was forgotten grows, whoever notes it, and where it was noted last is told each time', async () => {
  const store = new MemoryEventStore();
  const [one, other] = [new ForgottenMarks(store, clock), new ForgottenMarks(store, clock)];
  expect(await findForgotten(store, UNBROKEN)).toEqual({ upTo: new Map(), last: '' });
  await one.note(['a', 'b'], position(5), UNBROKEN);
  await other.note(['b'], position(9), UNBROKEN);
  await one.note(['a', 'b'], position(7), UNBROKEN);
  expect(await upTo(store)).toEqual({ a: position(7), b: position(9) });
  await other.note(['a'], position(6), UNBROKEN);
  expect([await upTo(store), (await findForgotten(store, UNBROKEN)).last]).toEqual([
    { a: position(7), b: position(9) },
    store.facts[3]?.metadata.chain,
  ]);
});

test('what comes together is noted once, and what could not be is noted the next time', async () => {
  const store = new MemoryEventStore();
  const marks = new ForgottenMarks(store, clock);
  await Promise.all(['a', 'b', 'a'].map((name, i) => marks.note([name], position(9 - i), UNBROKEN)));
  expect([await upTo(store), store.facts.length]).toEqual([{ a: position(9), b: position(8) }, 1]);
  const append = vi.spyOn(store, 'append').mockRejectedValueOnce(new Error('away'));
  await expect(marks.note(['c'], position(3), UNBROKEN)).rejects.toThrow('away');
  append.mockRestore();
  await marks.note(['c'], position(4), UNBROKEN);
  expect(await upTo(store)).toEqual({ a: position(9), b: position(8), c: position(4) });
});

test('the stream stays short', async () => {
  const store = new MemoryEventStore();
  const marks = new ForgottenMarks(store, clock);
  for (let at = 1; at <= 100; at++) await marks.note(['a'], position(at), UNBROKEN);
  expect(store.facts.length).toBeLessThan(20);
  expect(await findForgotten(store, UNBROKEN)).toEqual({
    upTo: new Map([['a', position(100)]]),
    last: store.facts.at(-1)?.metadata.chain,
  });
});

test('what a log says that this one is a copy of is nothing here, and of a log that was put back what it has, however little is known to be as it was', async () => {
  const store = new MemoryEventStore();
  await new ForgottenMarks(store, clock).note(['a'], position(90), UNBROKEN);
  const copied = new LogHistory([{ name: '0a1b2c3d', agreed: position(0), isCopy: true }]);
  expect(await upTo(store, copied)).toEqual({ a: position(0) });
  for (const agreed of [95, 40, 0]) {
    const putBack = new LogHistory([{ name: '0a1b2c3d', agreed: position(agreed) }]);
    expect(await upTo(store, putBack)).toEqual({ a: position(90) });
  }
  await new ForgottenMarks(store, clock).note(['a'], position(3), copied);
  expect(await upTo(store, copied)).toEqual({ a: position(3) });
  const copiedAndPutBack = new LogHistory([
    { name: '0a1b2c3d', agreed: position(0), isCopy: true },
    { name: 'cafe0000', agreed: position(1) },
  ]);
  expect(await upTo(store, copiedAndPutBack)).toEqual({ a: position(3) });
});
