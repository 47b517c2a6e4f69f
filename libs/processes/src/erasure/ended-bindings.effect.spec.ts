import { expect, test } from 'vitest';
import { accountsProjector } from '#accounts/projections/accounts.projector';
import { loadConfig } from '#config/config';
import type { Associations } from '#identity/associations/associations';
import { Bindings } from '#identity/client/bindings';
import type { IdentityServers } from '#identity/client/identity-servers';
import { EndBindings } from '#identity/client/end-bindings';
import type { IdentityAccounts } from '#identity/identity-accounts';
import { bindingsProjector } from '#identity/projections/bindings.projector';
import type { ServerName, UserId } from '#kernel/ids';
import { PeerRefused, PeerUnavailable } from '#kernel/peer-errors';
import type { Views } from '#projections/views';
import { generateSigningKey } from '#protocol/signing/signing-key';
import { MemoryEventStore } from '#testing/memory-event-store';
import { MemoryReadModels } from '#testing/memory-read-models';
import { applyFacts, recordFacts } from '#testing/project';
import { EndedBindings } from './ended-bindings.effect.js';

const [ALICE, BOB] = ['@alice:a.example' as UserId, '@bob:a.example' as UserId];
const [AWAY, REFUSES, ANSWERS] = ['away.example', 'refuses.example', 'answers.example'] as const;
const SHOWN = { token: 't', sid: 's', clientSecret: 'c' };

test('where a closed account was made known is undone, and by looks where a server was away, whatever another refuses', async () => {
  const asked: string[] = [];
  const isAway = new Set<string>([AWAY]);
  const servers = {
    findValidated: () => Promise.resolve({ medium: 'email', address: 'alice@mail.example' }),
    ask(server: ServerName, { path, authorization }: { path: string; authorization?: string }) {
      if (path === '/3pid/bind') return Promise.resolve({});
      asked.push(server);
      expect(authorization).toContain(`destination="${server}"`);
      if (isAway.has(server)) return Promise.reject(new PeerUnavailable('away'));
      return server === REFUSES ? Promise.reject(new PeerRefused(403, {})) : Promise.resolve({});
    },
  };
  const store = new MemoryEventStore();
  const rows = new MemoryReadModels();
  const config = loadConfig({ ANNALS_SERVER_NAME: 'a.example' });
  const ofUs: string[] = [];
  const ends = (what: string) => (userId: UserId) => Promise.resolve(ofUs.push(`${what} of ${userId}`) === 0);
  const none = {} as Associations;
  const accounts = { end: ends('tokens') } as unknown as IdentityAccounts;
  const client = servers as unknown as IdentityServers;
  const bindings = new Bindings(store, { now: () => 1 }, config, generateSigningKey(), client, none);
  for (const server of [AWAY, REFUSES, ANSWERS]) await bindings.bind(ALICE, server as ServerName, SHOWN);
  await bindings.bind(BOB, ANSWERS as ServerName, SHOWN);
  const project = async (): Promise<void> => {
    const all = store.facts.map(({ stream, type, data }) => ({ stream, type, data: JSON.parse(data) as object }));
    await applyFacts(bindingsProjector, recordFacts(all), rows);
  };
  const accountOf = (userId: UserId, type: string, data: object) => ({ stream: `user-${userId}`, type, data });
  const accountFacts = [
    accountOf(ALICE, 'account-registered', { via: 'open' }),
    accountOf(ALICE, 'account-deactivated', { erase: false }),
    accountOf(BOB, 'account-registered', { via: 'open' }),
  ];
  await applyFacts(accountsProjector, recordFacts(accountFacts), rows);
  const logger = { warn: () => {} } as never;
  const effect = new EndedBindings(new EndBindings(bindings, rows as unknown as Views), accounts, logger);
  const ended = { ...store.facts[0]!, type: 'account-deactivated', stream: `user-${ALICE}` };
  expect(effect.keyOf(ended)).toBe(`user-${ALICE}`);
  expect(await effect.run(ended)).toBe(true);
  expect(asked).toEqual([AWAY, REFUSES, ANSWERS]);
  expect(ofUs).toEqual([`tokens of ${ALICE}`]);
  await project();
  // The next process: what it looks for is in the views.
  await effect.begin();
  await effect.look();
  isAway.clear();
  expect(await bindings.of(ALICE)).toHaveLength(1);
  await effect.look();
  expect(new Set(asked.slice(3))).toEqual(new Set([AWAY]));
  expect(await bindings.of(ALICE)).toEqual([]);
  expect(await bindings.of(BOB)).toHaveLength(1);
  effect.end();
});

test('an account that is opened again while others are asked about is left alone by the look', async () => {
  const rows = new MemoryReadModels();
  const accountOf = (userId: UserId, type: string) => ({ stream: `user-${userId}`, type, data: { via: 'open' } });
  const tell = (...facts: ReturnType<typeof accountOf>[]) => applyFacts(accountsProjector, recordFacts(facts), rows);
  const store = new MemoryEventStore();
  const client = {
    findValidated: () => Promise.resolve({ medium: 'email', address: 'one@mail.example' }),
    ask: () => Promise.resolve({}),
  } as unknown as IdentityServers;
  const config = loadConfig({ ANNALS_SERVER_NAME: 'a.example' });
  const none = {} as Associations;
  const bindings = new Bindings(store, { now: () => 1 }, config, generateSigningKey(), client, none);
  for (const userId of [ALICE, BOB]) {
    await bindings.bind(userId, ANSWERS as ServerName, SHOWN);
    await tell(accountOf(userId, 'account-registered'), accountOf(userId, 'account-deactivated'));
  }
  const bound = store.facts.map(({ stream, type, data }) => ({ stream, type, data: JSON.parse(data) as object }));
  await applyFacts(bindingsProjector, recordFacts(bound), rows);
  const asked: UserId[] = [];
  bindings.endAll = async (userId) => {
    asked.push(userId);
    await tell(accountOf(BOB, 'account-reopened'));
    return true;
  };
  await new EndBindings(bindings, rows as unknown as Views).endDue(() => false);
  expect(asked).toEqual([ALICE]);
});
