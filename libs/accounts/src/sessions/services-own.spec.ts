import { expect, it } from 'vitest';
import { createAppService } from '#config/appservices/app-service';
import type { UserId } from '#kernel/ids';
import { type Account, NO_ACCOUNT } from '../decide/account.js';
import { isServicesOwn } from './services-own.js';

const user = (name: string): UserId => `@${name}:example.org` as UserId;
const users = [
  { exclusive: true, pattern: /@_bridge_/ },
  { exclusive: false, pattern: /@/ },
];
const service = createAppService(
  {
    id: 'bridge',
    url: undefined,
    sender: user('bot'),
    namespaces: { users, aliases: [], rooms: [] },
    isRateLimited: true,
    protocols: [],
    receivesEphemeral: false,
    receivesDevices: false,
  },
  { asToken: 'one', hsToken: 'another' },
);

it.each<[string, string, Partial<Account>, boolean]>([
  ['its sender', 'bot', {}, true],
  ['what it made', 'ghost', { byService: true, serviceId: 'bridge' }, true],
  ['what another service made', 'ghost', { byService: true, serviceId: 'other' }, false],
  ['what was made by a service, and not noted by which', 'ghost', { byService: true }, true],
  [
    'what is kept for it, and was made while its registration had another id',
    '_bridge_a',
    { byService: true, serviceId: 'old' },
    true,
  ],
  [
    'to whom somebody has a password',
    '_bridge_a',
    { byService: true, serviceId: 'bridge', passwordHash: 'hash' },
    false,
  ],
  ['a person in its namespaces', '_bridge_a', {}, false],
])('of a service is or is not its own: %s', (_, name, account, isOwn) => {
  expect(isServicesOwn(service, user(name), { ...NO_ACCOUNT, exists: true, ...account })).toBe(isOwn);
});
