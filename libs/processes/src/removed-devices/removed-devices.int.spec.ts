import { afterAll, beforeAll, expect, it } from 'vitest';
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
