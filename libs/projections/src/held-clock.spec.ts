import { describe, expect, it, test, vi } from 'vitest';
import { MemoryEventStore } from '#testing/memory-event-store';
import { CLOCK_STREAM } from './clock-facts.js';
import { findHeldFrom, hasHeld, NotedClock } from './held-clock.js';

const HOUR = 3600_000;
const DAY = 24 * HOUR;
const YEAR = 365 * DAY;
const NOW = 1_795_866_360_500;

test('a clock has held that said so a day ago, or since anything is known of it', () => {
  expect(hasHeld([], NOW)).toBe(false);
  expect(hasHeld([NOW], NOW)).toBe(true);
  // Another process noted it, or it took a moment.
  expect(hasHeld([NOW + 30_000], NOW)).toBe(true);
  expect(hasHeld([NOW - 3 * DAY, NOW - HOUR], NOW)).toBe(true);
  expect(hasHeld([NOW - YEAR, NOW - 2 * DAY], NOW)).toBe(true);
  // It has jumped ahead, or was off for so long.
  expect(hasHeld([NOW - YEAR, NOW], NOW)).toBe(false);
  expect(hasHeld([NOW - YEAR, NOW - DAY + 1], NOW)).toBe(false);
  expect(hasHeld([NOW - YEAR, NOW - DAY], NOW)).toBe(true);
  // It was ahead, and is put right: what it said then says nothing.
  expect(hasHeld([NOW - 2 * DAY, NOW + YEAR], NOW)).toBe(true);
  expect(hasHeld([NOW + YEAR], NOW)).toBe(false);
  // It says the same that it took back: who noted a day ago that it was ahead is no witness.
  const right = [NOW - YEAR - 3 * DAY, NOW - 2 * DAY, NOW - YEAR - DAY, NOW - YEAR];
  expect(hasHeld(right, NOW)).toBe(false);
  expect(hasHeld([...right, NOW - DAY], NOW)).toBe(true);
  expect(hasHeld(right, NOW - YEAR + DAY)).toBe(true);
  // Clocks of two processes are never the same.
  expect(hasHeld([NOW - YEAR, NOW - DAY, NOW - DAY - 3 * HOUR, NOW - HOUR, NOW - 3 * HOUR], NOW)).toBe(true);
});

describe('what is over by the clock', () => {
  const begin = () => {
    const store = new MemoryEventStore();
    const time = { now: NOW };
    const log = { info: vi.fn(), warn: vi.fn() };
    const start = (): NotedClock => new NotedClock(store, { now: () => time.now }, log);
    return { store, time, log, start };
  };

  it('is not while it may have jumped ahead, also after a restart and by another process, and is once it has held for a day', async () => {
    const { time, log, start } = begin();
    const first = start();
    for (let days = 0; days < 30; days += 0.25) {
      time.now = NOW + days * DAY;
      expect(await first.now()).toBe(time.now);
    }
    time.now += 5 * YEAR;
    for (const [n, each] of [first, start(), start()].entries()) {
      time.now += HOUR;
      expect([n, await each.now(), each.isHeld]).toEqual([n, 0, false]);
      expect(await each.now()).toBe(0);
    }
    expect(log.warn).toHaveBeenCalledTimes(3);
    for (let hours = 0; hours < 22; hours++) {
      time.now += HOUR;
      expect(await first.now()).toBe(hours < 21 ? 0 : time.now);
    }
    expect(log.info).toHaveBeenCalledTimes(1);
  });

  it('is at the first time that it is asked, though the log takes its time', async () => {
    const { store, time, log, start } = begin();
    const read = store.readStream.bind(store);
    vi.spyOn(store, 'readStream').mockImplementation((...args) => (time.now++, read(...args)));
    expect(await start().now()).toBeGreaterThanOrEqual(NOW);
    expect(log.warn).not.toHaveBeenCalled();
  });

  it('is at once where the clock is put right', async () => {
    const { time, start } = begin();
    const clock = start();
    for (let days = 0; days < 10; days++) {
      time.now = NOW + days * DAY;
      await clock.now();
    }
    time.now += YEAR;
    expect(await clock.now()).toBe(0);
    time.now -= YEAR - HOUR;
    expect(await clock.now()).toBe(time.now);
  });

  it('is at once where an operator says that the clock is right, for every process and later, and not where it jumps again', async () => {
    const { store, time, log, start } = begin();
    const clock = start();
    for (let days = 0; days < 10; days++) {
      time.now = NOW + days * DAY;
      await clock.now();
    }
    expect(await clock.accept()).toBe(false);
    expect(await findHeldFrom(store, time.now)).toBeLessThanOrEqual(time.now);
    time.now += 30 * DAY;
    expect(await clock.now()).toBe(0);
    expect(clock.warning).toContain('jumped ahead');
    expect(log.warn.mock.lastCall![0]).toContain(new Date(time.now + DAY).toISOString());
    expect(await findHeldFrom(store, time.now)).toBe(time.now + DAY);
    expect(await clock.accept()).toBe(true);
    expect(clock.warning).toBeUndefined();
    time.now += HOUR;
    expect(await findHeldFrom(store, time.now)).toBeLessThanOrEqual(time.now);
    for (const each of [clock, start()]) expect(await each.now()).toBe(time.now);
    time.now += YEAR;
    for (const each of [clock, start()]) expect(await each.now()).toBe(0);
  });

  it('is known of no log that says nothing of it yet', async () => {
    expect(await findHeldFrom(new MemoryEventStore(), NOW)).toBeUndefined();
  });

  it('is not at the next start either where it stands ahead at each', async () => {
    const { time, start } = begin();
    for (let days = 0; days < 30; days += 3) {
      time.now = NOW + days * DAY + YEAR;
      const clock = start();
      expect([days, await clock.now()]).toEqual([days, days === 0 ? time.now : 0]);
      for (let hours = 1; hours < 70; hours++) {
        time.now = NOW + days * DAY + hours * HOUR;
        await clock.now();
      }
      expect(await clock.now()).toBe(time.now);
    }
  });

  it('is known by a few facts, however long that goes on', async () => {
    const { store, time, start } = begin();
    const clock = start();
    for (let hours = 0; hours < 100 * 24; hours += 2) {
      time.now = NOW + hours * HOUR;
      expect(await clock.now()).toBe(time.now);
    }
    const facts = store.facts.filter(({ stream }) => stream === CLOCK_STREAM);
    expect(facts.length).toBe(64);
    expect(await start().now()).toBe(time.now);
  });
});
