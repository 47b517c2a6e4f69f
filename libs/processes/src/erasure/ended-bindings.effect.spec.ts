import { expect, test } from 'vitest';
import { loadConfig } from '#config/config';
import type { Associations } from '#identity/associations';
import { Bindings } from '#identity/bindings';
import type { IdentityServers } from '#identity/client/identity-servers';
import type { IdentityAccounts } from '#identity/identity-accounts';
import type { ServerName, UserId } from '#kernel/ids';
import { PeerRefused, PeerUnavailable } from '#kernel/peer-errors';
import { generateSigningKey } from '#protocol/signing/signing-key';
import { MemoryEventStore } from '#testing/memory-event-store';
import { EndedBindings } from './ended-bindings.effect.js';

const ALICE = '@alice:a.example' as UserId;

test('where a closed account was made known is undone, and again where a server was away, whatever another refuses', async () => {
  const [away, refuses, answers] = ['away.example', 'refuses.example', 'answers.example'] as ServerName[];
  const asked: string[] = [];
  const isAway = new Set([away]);
  const servers = {
    findValidated: () => Promise.resolve({ medium: 'email', address: 'alice@mail.example' }),
    ask(server: ServerName, { path, authorization }: { path: string; authorization?: string }) {
      if (path === '/3pid/bind') return Promise.resolve({});
      asked.push(server);
      expect(authorization).toContain(`destination="${server}"`);
      if (isAway.has(server)) return Promise.reject(new PeerUnavailable('away'));
      return server === refuses ? Promise.reject(new PeerRefused(403, {})) : Promise.resolve({});
    },
  };
  const store = new MemoryEventStore();
  const config = loadConfig({ ANNALS_SERVER_NAME: 'a.example' });
  const ofUs: string[] = [];
  const ends = (what: string) => (userId: UserId) => Promise.resolve(ofUs.push(`${what} of ${userId}`) === 0);
  const none = { endAll: ends('associations') } as unknown as Associations;
  const accounts = { end: ends('tokens') } as unknown as IdentityAccounts;
  const client = servers as unknown as IdentityServers;
  const bindings = new Bindings(store, { now: () => 1 }, config, generateSigningKey(), client, none);
  const shown = { token: 't', sid: 's', clientSecret: 'c' };
  for (const server of [away!, refuses!, answers!]) await bindings.bind(ALICE, server, shown);
  const effect = new EndedBindings(bindings, none, accounts);
  const ended = { ...store.facts[0]!, type: 'account-deactivated', stream: `user-${ALICE}` };
  expect(effect.keyOf(ended)).toBe(`user-${ALICE}`);
  await expect(effect.run(ended)).rejects.toThrow(PeerUnavailable);
  expect(asked).toEqual([away, refuses, answers]);
  expect(ofUs).toEqual([`tokens of ${ALICE}`, `associations of ${ALICE}`]);
  isAway.clear();
  expect(await effect.run(ended)).toBe(true);
  expect(asked.slice(3)).toEqual([away, refuses]);
});
