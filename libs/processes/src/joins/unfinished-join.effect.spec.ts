import type { CommandBus } from '@nestjs/cqrs';
import { expect, it, vi } from 'vitest';
import type { Config } from '#config/config';
import { sealFacts } from '#event-store/seal-facts';
import { SettleJoin } from '#rooms/commands/settle-join';
import { MemoryEventStore } from '#testing/memory-event-store';
import { UnfinishedJoin } from './unfinished-join.effect.js';

const STREAM = 'room-!far:b.example';

async function logOf(...types: readonly string[]): Promise<MemoryEventStore> {
  const log = new MemoryEventStore();
  const facts = types.map((type, i) => ({ id: `${i}`, type, data: '{}', at: 1_000, actor: 'b.example' }));
  await log.append(STREAM, 'no-stream', sealFacts(undefined, facts));
  return log;
}

/** Runs the effect of a join that began; answers what it asked for, and a way to wait for its end. */
function run(log: MemoryEventStore, now: () => number, eventStoreUrl?: string) {
  const asked: object[] = [];
  const bus = { execute: async (command: object) => asked.push(command) } as unknown as CommandBus;
  const effect = new UnfinishedJoin(bus, log, { now }, { eventStoreUrl } as Config);
  const begun = log.facts.find(({ type }) => type === 'join-begun')!;
  expect(effect.keyOf(begun)).toBe('!far:b.example');
  expect(effect.keyOf({ ...begun, type: 'join-completed' })).toBeUndefined();
  return { asked, done: effect.run(begun) };
}

it('ends a join that was left: on one machine no other process can be at it', async () => {
  const { asked, done } = run(await logOf('outlier-stored', 'join-begun', 'outlier-stored'), () => 1_001);
  await done;
  expect(asked).toEqual([new SettleJoin('!far:b.example' as never)]);
});

it('waits until nothing was written for a minute, where other processes write to the log', async () => {
  vi.useFakeTimers({ now: 2_000 });
  try {
    const log = await logOf('outlier-stored', 'join-begun', 'state-learnt');
    const { asked, done } = run(log, () => Date.now(), 'kurrentdb://log.example');
    await vi.advanceTimersByTimeAsync(58_000);
    expect(asked).toEqual([]);
    await vi.advanceTimersByTimeAsync(2_000);
    await done;
    expect(asked).toHaveLength(1);
  } finally {
    vi.useRealTimers();
  }
});

it('waits no longer than that where the clock was set back meanwhile', async () => {
  vi.useFakeTimers({ now: 1_000 - 86_400_000 });
  try {
    const log = await logOf('outlier-stored', 'join-begun', 'state-learnt');
    const { asked, done } = run(log, () => Date.now(), 'kurrentdb://log.example');
    await vi.advanceTimersByTimeAsync(59_000);
    expect(asked).toEqual([]);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(asked).toHaveLength(1);
    await done;
  } finally {
    vi.useRealTimers();
  }
});

it('does not wait for a join that has ended', async () => {
  const log = await logOf('outlier-stored', 'join-begun', 'join-given-up');
  const { asked, done } = run(log, () => 1_001, 'kurrentdb://log.example');
  await done;
  expect(asked).toHaveLength(1);
});
