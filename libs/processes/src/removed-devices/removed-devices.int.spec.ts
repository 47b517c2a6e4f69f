import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { SlidingClient } from '#testing/sliding-client';
import { SyncApp } from '#testing/sync-app';

let app: SyncApp;
beforeAll(async () => {
  app = await SyncApp.start();
});
afterAll(() => app.close());

it('lets what waited for a device go with it, and what its connections of sliding sync were told', async () => {
  const [alice, bob] = [await app.register('alice'), await app.register('bob')];
  const laptop = await bob.logIn();
  const [sender, device] = await Promise.all(
    [alice, laptop].map(async (each) => (await each.ok('GET', '/account/whoami')).device_id as string),
  );
  const roomId = await bob.createRoom();
  const lists = { all: { ranges: [[0, 9]], timeline_limit: 1, required_state: [] } };
  await new SlidingClient(laptop).next({ lists });
  await alice.ok('PUT', '/sendToDevice/m.test/t', { messages: { [bob.userId]: { [device!]: { secret: 'SECRET' } } } });
  const textOf = async (stream: string): Promise<string> =>
    (await app.factsOf(stream)).map(({ type, data }) => `${type} ${data}`).join('\n');
  const sent = (): Promise<string> => textOf(`sent-${alice.userId}|${sender}`);
  const told = (): Promise<string> => textOf(`sliding-${bob.userId}|${device}`);
  expect(await sent()).toContain('SECRET');
  expect(await told()).toContain(roomId);
  await laptop.ok('POST', '/logout', {});
  await expect.poll(() => textOf(`inbox-${bob.userId}|${device}`)).toContain('device-removed');
  await expect.poll(sent).not.toContain('SECRET');
  await expect.poll(told).not.toContain(roomId);
});

it('lets the keys of a device go with it, also where the clock was ahead as it was made', async () => {
  const carol = await app.register('carol');
  const clock = vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 86_400_000);
  const laptop = await carol.logIn();
  const { device_id } = await laptop.ok('GET', '/account/whoami');
  const names = [`ed25519:${device_id}`, `curve25519:${device_id}`];
  const keys = Object.fromEntries(names.map((name) => [name, 'A'.repeat(43)]));
  const device_keys = { user_id: carol.userId, device_id, algorithms: ['m.megolm.v1.aes-sha2'], keys, signatures: {} };
  await laptop.ok('POST', '/keys/upload', { device_keys });
  clock.mockRestore();
  const types = async (): Promise<string[]> =>
    (await app.factsOf(`device-${carol.userId}|${device_id}`)).map(({ type }) => type);
  expect(await types()).toEqual(['device-keys-set']);
  await laptop.ok('POST', '/logout', {});
  await expect.poll(types).toEqual(['device-keys-ended']);
});
