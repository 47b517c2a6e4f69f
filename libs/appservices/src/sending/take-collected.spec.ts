import { expect, it } from 'vitest';
import type { Accounts } from '#accounts/accounts';
import { readRegistration } from '#config/appservices/read-registration';
import type { DeviceKey } from '#devices/facts/device-streams';
import { type Receiver, textOfSent } from '#devices/facts/to-device-facts';
import type { Inboxes, MessagePlace } from '#devices/inboxes';
import type { DeviceId, ServerName, UserId } from '#kernel/ids';
import { positionOf } from '#testing/position-of';
import { registrationText } from '#testing/registration-file';
import { TakeCollected } from './take-collected.js';

const user = (name: string): UserId => `@_bridge_${name}:a.example` as UserId;

/** As the log has accounts: that of a person has a password, or was not made by a service. */
const ACCOUNTS: Record<UserId, object> = {
  [user('ghost')]: { byService: true },
  [user('named')]: { byService: true, passwordHash: 'of a password' },
  [user('person')]: { byService: false },
  [user('bot')]: { byService: false },
};

it('of what a service has accepted nothing is taken from people who lie in its namespace: their devices sync', async () => {
  const names = ['ghost', 'named', 'person', 'bot'];
  const to = names.map((name): Receiver => [user(name), 'HERE' as DeviceId, 0]);
  const { data, erasable } = textOfSent({ type: 'm.test', txn: 't' }, to, ['{}']);
  const metadata = { at: 0, actor: 'server', schema: 1, chain: '', erasable };
  const place = { stream: 'sent', revision: 7, position: positionOf(9) };
  const taken: [DeviceKey, readonly MessagePlace[]][] = [];
  const accounts = { load: async (userId: UserId) => ACCOUNTS[userId] } as unknown as Accounts;
  const inboxes = {
    noteHandedOver: (device: DeviceKey, messages: readonly MessagePlace[]) => void taken.push([device, messages]),
  } as unknown as Inboxes;
  const service = readRegistration(registrationText({ 'org.matrix.msc3202': true }), 'a.example' as ServerName);
  await new TakeCollected(accounts, inboxes).take(service, [
    { id: 'f', type: 'to-device-sent', data, metadata, ...place },
  ]);
  expect(taken).toEqual([
    [[user('ghost'), 'HERE'], [place]],
    [[user('bot'), 'HERE'], [place]],
  ]);
});
