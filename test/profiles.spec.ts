import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Client, Homeserver } from './support/homeserver.js';
import { describeWithStores } from './support/stores.js';

// Servers are killed and started.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 120_000 });

const ROOMS = 120;

describeWithStores('a changed name', (stores) => {
  let server: Homeserver;
  let alice: Client;
  const rooms: string[] = [];

  beforeAll(async () => {
    server = await Homeserver.start(stores);
    alice = await server.register('alice');
    for (let n = 0; n < ROOMS; n += 20) {
      const some = Array.from({ length: Math.min(20, ROOMS - n) }, () => alice.createRoom({ preset: 'private_chat' }));
      rooms.push(...(await Promise.all(some)));
    }
  });
  afterAll(() => server.remove());

  const path = (room: string, rest: string): string => `/rooms/${encodeURIComponent(room)}/${rest}`;
  const setName = (displayname: string): Promise<unknown> =>
    alice.ok('PUT', `/profile/${encodeURIComponent(alice.userId)}/displayname`, { displayname });
  const nameIn = async (room: string): Promise<unknown> =>
    (await alice.ok('GET', path(room, `state/m.room.member/${encodeURIComponent(alice.userId)}`))).displayname;
  const namesEverywhere = async (): Promise<readonly unknown[]> => [...new Set(await Promise.all(rooms.map(nameIn)))];
  /** The names that a room was told, in their order. */
  const told = async (room: string): Promise<string[]> => {
    const { chunk } = await alice.ok('GET', path(room, 'messages?dir=f&limit=100'));
    return chunk
      .filter((event: { type: string }) => event.type === 'm.room.member')
      .map((event: { content: { displayname?: string } }) => event.content.displayname ?? 'none');
  };

  test('is told to every room once, in order, whatever ends the process on the way', async () => {
    const names = ['One', 'Two'];
    for (const name of names) {
      await setName(name);
      // Of a server that dies right after its answer: some rooms have heard, others have not.
      await server.end('SIGKILL');
      await server.start();
    }
    await expect.poll(namesEverywhere, { timeout: 60_000, interval: 500 }).toEqual(['Two']);
    for (const room of rooms) {
      const heard = await told(room);
      expect(heard[0]).toBe('none');
      // Each at most once, never an earlier one behind a later one, and the last of them last.
      expect(heard.slice(1)).toEqual(names.filter((name) => heard.includes(name)));
      expect(heard.at(-1)).toBe('Two');
    }
  });
});
