import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { Client, Homeserver } from './support/homeserver.js';
import { Talk } from './support/talk.js';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

/** Two processes with one log, each with views of its own, as they are for a time when one takes over from the other. */
async function startTwo(): Promise<[Homeserver, Homeserver]> {
  const first = await Homeserver.start({ log: 'a server' });
  closing.push(() => first.remove());
  const second = new Homeserver({ env: first.settings });
  closing.push(() => second.remove());
  cpSync(join(first.directory, 'keys'), join(second.directory, 'keys'), { recursive: true });
  await second.start();
  return [first, second];
}

/** A user of one server at another one, as soon as that knows of them. */
async function at(server: Homeserver, { userId, token, deviceId }: Client): Promise<Client> {
  const client = new Client(server, userId, token, deviceId);
  await expect.poll(async () => (await client.request('GET', '/account/whoami')).status, { timeout: 20_000 }).toBe(200);
  return client;
}

it('two servers on one log tell a room in one order, also when one is killed and comes back', async () => {
  const [first, second] = await startTwo();
  const alice = await first.register('alice');
  const bob = await second.register('bob');
  const room = await alice.createRoom({ preset: 'public_chat' });
  const aliceAtSecond = await at(second, alice);
  const joining = async (): Promise<number> =>
    (await bob.request('POST', `/join/${encodeURIComponent(room)}`, {})).status;
  await expect.poll(joining, { timeout: 20_000 }).toBe(200);
  const bobAtFirst = await at(first, bob);
  const isIn = async (): Promise<string[]> => (await bobAtFirst.ok('GET', '/joined_rooms')).joined_rooms;
  await expect.poll(isIn, { timeout: 20_000 }).toContain(room);

  const talk = await Talk.begin({ room, senders: [alice, bob], readers: [alice, bob, bobAtFirst], mayBeKilled: true });
  await talk.goesOn(60);
  await first.end('SIGKILL');
  // The other one goes on meanwhile.
  await talk.goesOn(30);
  await first.start();
  await talk.goesOn(60);
  await talk.end();

  // What one has answered the other answers the same.
  const eventId = await alice.send(room, 'once', 'the same');
  expect(await aliceAtSecond.send(room, 'once', 'the same')).toBe(eventId);
}, 300_000);
