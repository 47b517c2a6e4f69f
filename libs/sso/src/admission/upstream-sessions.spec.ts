import type { CommandBus } from '@nestjs/cqrs';
import { expect, it } from 'vitest';
import type { Accounts } from '#accounts/accounts';
import { KeyedNames } from '#event-store/keyed-names';
import type { UserId } from '#kernel/ids';
import { TEST_NAMES } from '#testing/test-names';
import type { EarlyLogouts } from './early-logouts.js';
import { UpstreamSessions } from './upstream-sessions.js';

const ALICE = '@alice:a.example' as UserId;

it('a log-out is noted before anything ends by it: what begins meanwhile sees it, or is seen', async () => {
  const done: string[] = [];
  const commands = { execute: async () => void done.push('noted') } as unknown as CommandBus;
  const accounts = {} as Accounts;
  const sessions = new UpstreamSessions(accounts, commands, {} as EarlyLogouts, { now: () => 1 }, TEST_NAMES);
  sessions.add(async () => void done.push('browsers'));
  await sessions.end(ALICE, { provider: 'one' });
  expect(done).toEqual(['noted', 'browsers']);
});

it('what stands for an account elsewhere tells nobody else which it is, and is of one alone', () => {
  const sessionsOf = (names = TEST_NAMES): UpstreamSessions =>
    new UpstreamSessions({} as Accounts, {} as CommandBus, {} as EarlyLogouts, { now: () => 1 }, names);
  const id = { provider: 'one', subject: 'alice' };
  const one = sessionsOf();
  expect(one.nameOf(id)).toBe(one.nameOf({ ...id }));
  expect(one.nameOf(id)).toMatch(/^[0-9a-f]{64}$/);
  expect(
    new Set([
      one.nameOf(id),
      sessionsOf(new KeyedNames(new Uint8Array(32))).nameOf(id),
      one.nameOf({ ...id, provider: 'two' }),
    ]).size,
  ).toBe(3);
});
