import { beforeEach, expect, it } from 'vitest';
import { AppServices } from '#config/appservices/app-services';
import type { UserId } from '#kernel/ids';
import type { EntitiesOnDemand } from './entities-on-demand.js';
import { LookedAtUsers } from './looked-at-users.js';

let now: number;
let asked: string[];
let answer: () => void;
let services: AppServices;
let users: LookedAtUsers;

beforeEach(() => {
  [now, asked, answer] = [0, [], () => {}];
  services = new AppServices();
  const make = (userId: UserId): Promise<void> => {
    asked.push(userId);
    return new Promise((resolve) => (answer = resolve));
  };
  users = new LookedAtUsers({ users: { make } } as EntitiesOnDemand, services, { elapsed: () => now });
});

const user = (name: string): UserId => `@${name}:a.example` as UserId;
const look = (name: string): Promise<void> => users.makeForLook(user(name));

it('asks for a user once a minute, however many look at them, and anew where registrations were read anew', async () => {
  const both = [look('a'), look('a')];
  answer();
  await Promise.all(both);
  await look('a');
  expect(asked).toEqual([user('a')]);
  now = 60_001;
  void look('a');
  answer();
  expect(asked).toHaveLength(2);
  await look('a');
  services.replace([]);
  void look('a');
  expect(asked).toHaveLength(3);
});

it('asks for no more users at once than a service can take who are only looked at, and for whoever is invited', async () => {
  for (let i = 0; i < 100; i++) void look(`a${i}`);
  expect(asked).toHaveLength(32);
  await look('b');
  void users.make(user('b'));
  void users.make(user('b'));
  expect(asked.slice(32)).toEqual([user('b'), user('b')]);
});
