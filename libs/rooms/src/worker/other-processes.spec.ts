import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { systemClock } from '#kernel/clock';
import { OtherProcesses } from './other-processes.js';

const SERVER = { eventStoreUrl: 'kurrentdb://log.example' };

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Waits for work of which facts up to a revision are there, the last of them written at `at`; answers what came of it so far. */
function wait(revision: () => number | undefined, config: { eventStoreUrl?: string } = SERVER, at = Date.now()) {
  const others = new OtherProcesses(config, systemClock);
  const so: { isLeft?: boolean } = {};
  const findLast = async () => {
    const last = revision();
    return last === undefined ? undefined : { revision: last, metadata: { at } };
  };
  void others.isLeft(findLast).then((isLeft) => (so.isLeft = isLeft));
  return so;
}

it('takes what is under way on one machine for left at once', async () => {
  const so = wait(() => 3, {});
  await vi.advanceTimersByTimeAsync(0);
  expect(so).toEqual({ isLeft: true });
});

it.each([
  ['has the same time', 0],
  ['is two minutes behind', -120_000],
  ['is a day ahead', 86_400_000],
])(
  'takes what is under way in a log on a server for left once nothing came for a minute: its clock %s',
  async (_, by) => {
    const so = wait(() => 3, SERVER, Date.now() + by);
    await vi.advanceTimersByTimeAsync(59_000);
    expect(so).toEqual({});
    await vi.advanceTimersByTimeAsync(1_500);
    expect(so).toEqual({ isLeft: true });
  },
);

it('waits as long as something comes, and no longer than until it has ended', async () => {
  let revision: number | undefined = 3;
  const so = wait(() => revision);
  for (; revision < 6; revision++) await vi.advanceTimersByTimeAsync(50_000);
  expect(so).toEqual({});
  revision = undefined;
  await vi.advanceTimersByTimeAsync(1_000);
  expect(so).toEqual({ isLeft: false });
});

it('goes by no clock that is set meanwhile', async () => {
  const so = wait(() => 3);
  await vi.advanceTimersByTimeAsync(1_000);
  vi.setSystemTime(Date.now() + 86_400_000);
  await vi.advanceTimersByTimeAsync(58_000);
  expect(so).toEqual({});
  await vi.advanceTimersByTimeAsync(1_500);
  expect(so).toEqual({ isLeft: true });
});

it('takes nothing for left that came while this process stood still', async () => {
  let elapsed = 0;
  const others = new OtherProcesses(SERVER, { elapsed: () => elapsed });
  const so: { isLeft?: boolean } = {};
  let looks = 0;
  const findLast = async () => {
    // It stands still right behind its second look.
    if (++looks === 2) elapsed += 3_600_000;
    return { revision: looks < 3 ? 3 : 4 };
  };
  void others.isLeft(findLast).then((isLeft) => (so.isLeft = isLeft));
  await vi.advanceTimersByTimeAsync(10_000);
  expect(looks).toBeGreaterThan(10);
  expect(so).toEqual({});
});
