import { afterEach, expect, it } from 'vitest';
import { Client, Homeserver } from './support/homeserver.js';
import { startBeside } from './support/start-beside.js';
import { type Views, VIEWS_SERVER, VIEWS_THERE } from './support/stores.js';
import { Talk } from './support/talk.js';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

/** Two processes with one log: with one MongoDB of views, or each with views of its own. */
async function startTwo(views: Views): Promise<[Homeserver, Homeserver]> {
  const first = await Homeserver.start({ log: 'a server', views });
  closing.push(() => first.remove());
  const second = await startBeside(first);
  closing.push(() => second.remove());
  return [first, second];
}

/** A user of one server at another one, as soon as that knows of them. */
async function at(server: Homeserver, { userId, token, deviceId }: Client): Promise<Client> {
  const client = new Client(server, userId, token, deviceId);
  await expect.poll(async () => (await client.request('GET', '/account/whoami')).status).toBe(200);
  return client;
}

it.each(VIEWS_THERE)(
  'two servers on one log (views in %s) tell a room in one order, also when one is killed and comes back',
  async (views) => {
    const [first, second] = await startTwo(views);
    const alice = await first.register('alice');
    const bob = await second.register('bob');
    const room = await alice.createRoom({ preset: 'public_chat' });
    const aliceAtSecond = await at(second, alice);
    const joining = async (): Promise<number> =>
      (await bob.request('POST', `/join/${encodeURIComponent(room)}`, {})).status;
    await expect.poll(joining).toBe(200);
    const bobAtFirst = await at(first, bob);
    const isIn = async (): Promise<string[]> => (await bobAtFirst.ok('GET', '/joined_rooms')).joined_rooms;
    await expect.poll(isIn).toContain(room);

    const talk = await Talk.begin({
      room,
      senders: [alice, bob],
      readers: [alice, bob, bobAtFirst],
      mayBeKilled: true,
    });
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
  },
  300_000,
);

it.skipIf(VIEWS_SERVER === undefined)(
  'two servers on one MongoDB of views both answer, and the second goes on alone when the first was killed',
  async () => {
    const [first, second] = await startTwo('MongoDB');
    const alice = await first.register('alice');
    const atSecond = await at(second, alice);
    const room = await alice.createRoom({ preset: 'public_chat' });
    // What one was told is in what the other answers as soon as it has answered.
    const eventId = await atSecond.send(room, 'hello');
    const path = `/rooms/${encodeURIComponent(room)}/event/${encodeURIComponent(eventId)}`;
    expect((await atSecond.request('GET', path)).status).toBe(200);
    expect((await alice.request('GET', path)).status).toBe(200);
    const writers = async (): Promise<(string | undefined)[]> =>
      Promise.all([first, second].map(async (each) => /^annals_views_writer (\d)/m.exec(await metrics(each))?.[1]));
    expect(await writers()).toEqual(['1', '0']);

    await first.end('SIGKILL');
    const isWriter = async (): Promise<boolean> => /^annals_views_writer 1/m.test(await metrics(second));
    await expect.poll(isWriter).toBe(true);
    const { next_batch: since } = await atSecond.sync();
    await atSecond.send(room, 'alone');
    const { rooms } = await atSecond.sync({ since });
    expect(rooms.join[room].timeline.events.map(({ content }: { content: object }) => content)).toEqual([
      { msgtype: 'm.text', body: 'alone' },
    ]);
    // The first comes back as the one that follows.
    await first.start();
    expect(await writers()).toEqual(['0', '1']);
    expect((await alice.request('GET', path)).status).toBe(200);
  },
  120_000,
);

async function metrics(server: Homeserver): Promise<string> {
  return (await server.request('GET', '/metrics')).text;
}

/** Whether a server is the one that does what follows from facts. */
async function runsEffects(server: Homeserver): Promise<boolean> {
  const { text } = await server.request('GET', '/metrics');
  return text.includes('annals_effect_runs_here{effect="departure"} 1');
}

it('one of two servers on one log does what follows from facts, once; the other goes on when that is killed', async () => {
  const [first, second] = await startTwo('LMDB');
  const alice = await second.register('alice');
  const rooms: string[] = [];
  for (let i = 0; i < 5; i++) rooms.push(await alice.createRoom({ preset: 'public_chat' }));
  const inRoom = (roomId: string, path: string): string => `/rooms/${encodeURIComponent(roomId)}/${path}`;

  /** Somebody joins all rooms and closes their account, at the second server; they have left once that is done. */
  const comeAndGo = async (name: string): Promise<string> => {
    const user = await second.register(name);
    for (const roomId of rooms) await user.ok('POST', inRoom(roomId, 'join'), {});
    const auth = { type: 'm.login.password', user: name, password: `the password of ${name}` };
    await user.ok('POST', '/account/deactivate', { auth });
    return user.userId;
  };
  const hasLeft = async (userId: string): Promise<boolean> => {
    for (const roomId of rooms) {
      const { joined } = await alice.ok('GET', inRoom(roomId, 'joined_members'));
      if (userId in joined) return false;
    }
    return true;
  };
  const timesLeft = async (userId: string): Promise<number[]> =>
    Promise.all(
      rooms.map(async (roomId) => {
        const { chunk } = await alice.ok('GET', inRoom(roomId, 'messages?dir=b&limit=100'));
        return (chunk as { state_key?: string; content: { membership?: string } }[]).filter(
          (event) => event.state_key === userId && event.content.membership === 'leave',
        ).length;
      }),
    );

  expect([await runsEffects(first), await runsEffects(second)]).toEqual([true, false]);
  const gone = [await comeAndGo('eve')];
  await expect.poll(() => hasLeft(gone[0]!)).toBe(true);

  // What the first one is in the midst of, and what comes then, is done by the other.
  gone.push(await comeAndGo('frank'));
  await first.end('SIGKILL');
  gone.push(await comeAndGo('grace'));
  await expect.poll(() => runsEffects(second)).toBe(true);
  for (const userId of gone) await expect.poll(() => hasLeft(userId)).toBe(true);
  for (const userId of gone) expect(await timesLeft(userId)).toEqual(rooms.map(() => 1));

  // The one that comes back leaves it to who has it, and takes over at once where that one stops.
  await first.start();
  expect([await runsEffects(first), await runsEffects(second)]).toEqual([false, true]);
  await second.end();
  await expect.poll(() => runsEffects(first)).toBe(true);
}, 300_000);
