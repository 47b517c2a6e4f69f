import type { CommandBus } from '@nestjs/cqrs';
import { expect, it } from 'vitest';
import { sealFacts } from '#event-store/seal-facts';
import { SettleHandshake } from '#rooms/commands/settle-handshake';
import { MemoryEventStore } from '#testing/memory-event-store';
import { UnfinishedHandshake } from './unfinished-handshake.effect.js';

it('finds out what became of each event that another server was given', async () => {
  const log = new MemoryEventStore();
  const data = JSON.stringify({ room_id: '!far:b.example', event_id: '$e', membership: 'join' });
  const types = ['membership-told', 'handshake-begun', 'handshake-ended'];
  const facts = types.map((type, i) => ({ id: `${i}`, type, data, at: 1_000, actor: '@alice:a.example' }));
  await log.append('elsewhere-@alice:a.example', 'no-stream', sealFacts(undefined, facts));
  const asked: SettleHandshake[] = [];
  const bus = { execute: async (command: SettleHandshake) => asked.push(command) } as unknown as CommandBus;
  const effect = new UnfinishedHandshake(bus);
  const begun = log.facts.filter((fact) => effect.keyOf(fact) !== undefined);
  expect(begun.map(({ type }) => type)).toEqual(['handshake-begun']);
  await effect.run(begun[0]!);
  expect(asked).toMatchObject([{ requester: { userId: '@alice:a.example' }, roomId: '!far:b.example', eventId: '$e' }]);
});
