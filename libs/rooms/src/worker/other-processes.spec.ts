import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { OtherProcesses } from './other-processes.js';

const SERVER = { eventStoreUrl: 'kurrentdb://log.example' };
/** When the last fact was written. */
const AT = 1_000;

beforeEach(() => {
  vi.useFakeTimers({ now: AT });
});
afterEach(() => {
  vi.useRealTimers();
});

/** Waits for work of which facts up to a revision are there; answers what came of it so far. */
function wait(revision: () => number | undefined, config: { eventStoreUrl?: string } = SERVER) {
  const others = new OtherProcesses(config, { now: () => Date.now() });
  const so: { isLeft?: boolean } = {};
  const findLast = async () => {
    const last = revision();
    return last === undefined ? undefined : { revision: last, metadata: { at: AT } as never };
  };
  void others.isLeft(findLast).then((isLeft) => (so.isLeft = isLeft));
  return so;
}

it('takes what is under way on one machine for left at once', async () => {
  const so = wait(() => 3, {});
  await vi.advanceTimersByTimeAsync(0);
  expect(so).toEqual({ isLeft: true });
});

it('takes what is under way in a log on a server for left once nothing came for a minute', async () => {
  vi.setSystemTime(AT + 10_000);
  const so = wait(() => 3);
  await vi.advanceTimersByTimeAsync(49_000);
  expect(so).toEqual({});
  await vi.advanceTimersByTimeAsync(1_000);
  expect(so).toEqual({ isLeft: true });
});

it('waits as long as something comes, and no longer than until it has ended', async () => {
  let revision: number | undefined = 3;
  vi.setSystemTime(AT - 3_600_000);
  const so = wait(() => revision);
  for (; revision < 6; revision++) await vi.advanceTimersByTimeAsync(50_000);
  expect(so).toEqual({});
  revision = undefined;
  await vi.advanceTimersByTimeAsync(1_000);
  expect(so).toEqual({ isLeft: false });
});

it('waits no longer than that where the clock was set back meanwhile', async () => {
  vi.setSystemTime(AT - 86_400_000);
  const so = wait(() => 3);
  await vi.advanceTimersByTimeAsync(59_000);
  expect(so).toEqual({});
  await vi.advanceTimersByTimeAsync(1_000);
  expect(so).toEqual({ isLeft: true });
});
