import { expect, test } from 'vitest';
import { LogHistory } from '#event-store/log-history';
import type { Position } from '#kernel/position';
import { MemoryEventStore } from '#testing/memory-event-store';
import { findForgotten, ForgottenMarks } from './forgotten-marks.js';

const clock = { now: () => 7 };
const { UNBROKEN } = LogHistory;
const position = (number: number): Position => String(number).padStart(19, '0') as Position;

test('up to where something was forgotten grows, whoever notes it, and is not noted again where that is covered', async () => {
  const store = new MemoryEventStore();
  const [one, other] = [new ForgottenMarks(store, clock), new ForgottenMarks(store, clock)];
  expect(await findForgotten(store, UNBROKEN)).toEqual(new Map());
  await one.note(['a', 'b'], position(5), UNBROKEN);
  await other.note(['b'], position(9), UNBROKEN);
  await one.note(['a', 'b'], position(7), UNBROKEN);
  const upTo = new Map([
    ['a', position(7)],
    ['b', position(9)],
  ]);
  expect(await findForgotten(store, UNBROKEN)).toEqual(upTo);
  for (const marks of [one, other]) await marks.note(['a'], position(6), UNBROKEN);
  expect(store.facts).toHaveLength(3);
});

test('the stream stays short', async () => {
  const store = new MemoryEventStore();
  const marks = new ForgottenMarks(store, clock);
  for (let at = 1; at <= 100; at++) await marks.note(['a'], position(at), UNBROKEN);
  expect(store.facts.length).toBeLessThan(20);
  expect(await findForgotten(store, UNBROKEN)).toEqual(new Map([['a', position(100)]]));
});

test('what a log says that this one is a copy of is nothing here, and of a log that was put back what both have in common', async () => {
  const store = new MemoryEventStore();
  await new ForgottenMarks(store, clock).note(['a'], position(90), UNBROKEN);
  const copied = new LogHistory([{ name: '0a1b2c3d', agreed: position(0) }]);
  expect(await findForgotten(store, copied)).toEqual(new Map([['a', position(0)]]));
  const putBack = new LogHistory([{ name: '0a1b2c3d', agreed: position(95) }]);
  expect(await findForgotten(store, putBack)).toEqual(new Map([['a', position(90)]]));
  await new ForgottenMarks(store, clock).note(['a'], position(3), copied);
  expect(await findForgotten(store, copied)).toEqual(new Map([['a', position(3)]]));
});
