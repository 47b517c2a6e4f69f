import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Answer, type Client, Homeserver } from './support/homeserver.js';
import { describeWithStores } from './support/stores.js';

// Servers are killed and started.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 120_000 });

const PATH = '/_matrix/client/unstable/org.matrix.simplified_msc3575/sync';
const STATE = [['m.room.create', ''], ['m.room.member', '$LAZY'], ['m.room.member', '$ME']]; // prettier-ignore
const LIST = { ranges: [[0, 19]], required_state: STATE, timeline_limit: 20 };
const on = { enabled: true };

/** A connection of a client that holds on to its place. */
class Connection {
  pos: string | undefined;

  constructor(
    readonly user: Client,
    readonly id: string,
    readonly body: object,
  ) {}

  ask(timeout = 0, more: object = {}): Promise<Answer> {
    const from = this.pos === undefined ? '' : `&pos=${encodeURIComponent(this.pos)}`;
    return this.user.request('POST', `${PATH}?timeout=${timeout}${from}`, { conn_id: this.id, ...this.body, ...more });
  }

  /** As `ask`; goes on from the answer, and asks again where there was none. */
  async next(timeout = 0, more: object = {}): Promise<Answer['body']> {
    for (;;) {
      const { status, body } = await this.ask(timeout, more).catch((error: unknown) => {
        if (error instanceof TypeError) return { status: 0, body: undefined }; // what `fetch` throws where there is no answer
        throw error;
      });
      if (status === 200) {
        this.pos = body.pos;
        return body;
      }
      expect([0, 503]).toContain(status);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

const bodiesOf = (room: { timeline?: { content: { body?: string } }[] } | undefined): (string | undefined)[] =>
  room?.timeline?.map(({ content }) => content.body) ?? [];

describeWithStores('sliding sync', (stores) => {
  let server: Homeserver;
  let alice: Client;
  let bob: Client;
  let room: string;

  beforeAll(async () => {
    server = await Homeserver.start(stores);
    alice = await server.register('alice');
    bob = await server.register('bob');
    room = await alice.createRoom({ preset: 'public_chat', name: 'pub' });
    await bob.ok('POST', `/join/${encodeURIComponent(room)}`, {});
  });
  afterAll(() => server.remove());

  test('is told to be there', async () => {
    const { body } = await server.request('GET', '/_matrix/client/versions');
    expect(body.unstable_features['org.matrix.simplified_msc3575']).toBe(true);
  });

  test('goes on over restarts of the server, on three connections of a device', async () => {
    const list = new Connection(bob, 'room-list', {
      lists: { all_rooms: LIST },
      extensions: { receipts: on, typing: on },
    });
    const encryption = new Connection(bob, 'encryption', { extensions: { e2ee: on, to_device: on } });
    const notifications = new Connection(bob, 'notifications', {
      room_subscriptions: { [room]: { ...LIST, ranges: undefined } },
    });
    expect((await list.next()).rooms[room]).toMatchObject({ initial: true, name: 'pub', joined_count: 2 });
    expect((await encryption.next()).extensions).toHaveProperty('to_device');
    expect((await notifications.next()).rooms[room].initial).toBe(true);

    for (const [n, signal] of (['SIGTERM', 'SIGKILL'] as const).entries()) {
      await server.restart(signal);
      await alice.send(room, `after restart ${n}`);
      for (const connection of [list, notifications]) {
        const { rooms } = await connection.next(20_000);
        expect(bodiesOf(rooms[room])).toEqual([`after restart ${n}`]);
        expect(rooms[room]).not.toHaveProperty('initial');
        expect(rooms[room].num_live).toBe(1);
      }
      expect((await encryption.next()).rooms).toEqual({});
    }
  });

  test('loses and repeats nothing, while the server is killed', async () => {
    const client = new Connection(bob, 'counting', { lists: { all_rooms: { ...LIST, timeline_limit: 100 } } });
    await client.next();
    const seen: (string | undefined)[] = [];
    const count = 30;
    const reading = (async () => {
      while (seen.length < count) seen.push(...bodiesOf((await client.next(1_000)).rooms[room]));
    })();
    for (let n = 0; n < count; n++) {
      for (let isSent = false; !isSent;) {
        isSent = await alice.send(room, `m${n}`, `kill${n}`).then(
          () => true,
          () => new Promise((resolve) => setTimeout(() => resolve(false), 50)),
        );
      }
      if (n % 10 === 5) await server.restart('SIGKILL');
    }
    await reading;
    expect(seen).toEqual(Array.from({ length: count }, (_, n) => `m${n}`));
  });

  test('begins anew where nobody knows the place', async () => {
    const client = new Connection(bob, 'lost', { lists: { all_rooms: LIST } });
    await client.next();
    await new Connection(bob, 'lost', {}).next();
    const { status, body } = await client.ask();
    expect([status, body.errcode]).toEqual([400, 'M_UNKNOWN_POS']);
    client.pos = undefined;
    expect((await client.next()).rooms[room].initial).toBe(true);
  });

  test('forgets the connections of a device that is gone', async () => {
    const { body } = await bob.request('POST', '/login', {
      type: 'm.login.password',
      identifier: { type: 'm.id.user', user: 'bob' },
      password: 'the password of bob',
      device_id: 'GONE',
    });
    const again = { type: 'm.login.password', identifier: { type: 'm.id.user', user: 'bob' } };
    const asGone = (token: string, pos?: string): Promise<Answer> =>
      server.request('POST', `${PATH}?timeout=0${pos === undefined ? '' : `&pos=${encodeURIComponent(pos)}`}`, {
        token,
        body: { lists: { all_rooms: LIST } },
      });
    const { pos } = (await asGone(body.access_token)).body;
    await server.request('POST', '/_matrix/client/v3/logout', { token: body.access_token, body: {} });
    const login = { ...again, password: 'the password of bob', device_id: 'GONE' };
    const { access_token: token } = (await bob.request('POST', '/login', login)).body;
    await expect.poll(async () => (await asGone(token, pos)).body.errcode, { timeout: 20_000 }).toBe('M_UNKNOWN_POS');
  });
});
