import 'reflect-metadata';
import { CommandBus } from '@nestjs/cqrs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { UserId } from '#kernel/ids';
import { type AccountsApp, startAccountsApp } from '#testing/accounts-app';
import { Accounts, BY_SERVER } from '../accounts.js';
import { EndUpstreamSessions } from '../commands/end-upstream-sessions.js';
import { IssueLoginToken } from '../commands/issue-login-token.js';
import { LogIn } from '../commands/log-in.js';
import { RegisterAccount } from '../commands/register-account.js';

const ALICE = '@alice:example.org' as UserId;

let app: AccountsApp;
beforeAll(async () => {
  app = await startAccountsApp();
  await app.get(CommandBus).execute(new RegisterAccount({ username: 'alice', via: 'external-id' }));
});
afterAll(() => app.close());

it('nothing begins by a log-in at a provider of before a log-out there, and what begins by a later one does', async () => {
  const execute = (command: LogIn | IssueLoginToken | EndUpstreamSessions): Promise<unknown> =>
    app.get(CommandBus).execute(command as LogIn);
  const devices = async (): Promise<number> => (await app.get(Accounts).load(ALICE)).devices.size;
  const shownAt = app.time.now;
  const upstream = { provider: 'one', sid_hash: 'a session', shown_at: shownAt };
  app.time.now += 1_000;
  await execute(new EndUpstreamSessions(ALICE, { provider: 'one' }));
  const begins = [
    () => execute(new LogIn({ userId: ALICE, upstream }, {})),
    () => execute(new IssueLoginToken(ALICE, 1_000, BY_SERVER, upstream)),
  ];
  for (const begin of begins) await expect(begin()).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' });
  expect(await devices()).toBe(0);
  const others = [
    { ...upstream, provider: 'another' },
    { ...upstream, shown_at: shownAt + 1_001 },
  ];
  for (const other of others) await execute(new LogIn({ userId: ALICE, upstream: other }, {}));
  expect(await devices()).toBe(2);
  await execute(new EndUpstreamSessions(ALICE, { provider: 'another', sid_hash: 'a session' }));
  expect(await devices()).toBe(1);
  // By the clock of the provider it came later.
  const late = { provider: 'another', sid_hash: 'a session', shown_at: app.time.now + 1_000 };
  await expect(execute(new LogIn({ userId: ALICE, upstream: late }, {}))).rejects.toMatchObject({
    errcode: 'M_FORBIDDEN',
  });
  await execute(new LogIn({ userId: ALICE, upstream: { ...late, sid_hash: 'the next one' } }, {}));
  expect(await devices()).toBe(2);
  // It was ended here alone, and goes on there.
  await execute(new LogIn({ userId: ALICE, upstream: { ...late, shown_at: app.time.now + 60_001 } }, {}));
  expect(await devices()).toBe(3);
});
