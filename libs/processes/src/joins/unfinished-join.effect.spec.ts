import type { CommandBus } from '@nestjs/cqrs';
import { expect, it } from 'vitest';
import { sealFacts } from '#event-store/seal-facts';
import { SettleJoin } from '#rooms/commands/settle-join';
import { MemoryEventStore } from '#testing/memory-event-store';
import { UnfinishedJoin } from './unfinished-join.effect.js';

it('ends each join that began', async () => {
  const log = new MemoryEventStore();
  const types = ['outlier-stored', 'join-begun', 'outlier-stored', 'join-completed'];
  const facts = types.map((type, i) => ({ id: `${i}`, type, data: '{}', at: 1_000, actor: 'b.example' }));
  await log.append('room-!far:b.example', 'no-stream', sealFacts(undefined, facts));
  const asked: object[] = [];
  const bus = { execute: async (command: object) => asked.push(command) } as unknown as CommandBus;
  const effect = new UnfinishedJoin(bus);
  const begun = log.facts.filter((fact) => effect.keyOf(fact) === '!far:b.example');
  expect(begun.map(({ type }) => type)).toEqual(['join-begun']);
  await effect.run(begun[0]!);
  expect(asked).toEqual([new SettleJoin('!far:b.example' as never)]);
});
