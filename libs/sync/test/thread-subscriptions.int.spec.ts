import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { JsonObject } from '#kernel/json';
import type { RoomId } from '#kernel/ids';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import { ForkedRoom, OTHER_SERVER } from '#testing/forked-room';
import { numbersFrom } from '#testing/numbers-from';
import { SlidingClient, StableSlidingClient } from '#testing/sliding-client';
import { roomPath, SyncApp, type SyncAnswer, type SyncUser } from '#testing/sync-app';

const EXTENSION = 'io.element.msc4308.thread_subscriptions';
const PAGES = '/_matrix/client/unstable/io.element.msc4308/thread_subscriptions';
const NOT_IN_THREAD = 'IO.ELEMENT.MSC4306.M_NOT_IN_THREAD';
const CONFLICT = 'IO.ELEMENT.MSC4306.M_CONFLICTING_UNSUBSCRIPTION';

const pathOf = (room: string, root: string): string =>
  `/_matrix/client/unstable/io.element.msc4306${roomPath(room)}/thread/${encodeURIComponent(root)}/subscription`;
const asking = (more: object = {}): object => ({ extensions: { [EXTENSION]: { enabled: true, ...more } } });
const inThread = (root: string): JsonObject => ({ 'm.relates_to': { rel_type: 'm.thread', event_id: root } });

/** What is told of threads, in the extension and in pages. */
interface Told {
  readonly subscribed: Record<string, Record<string, { automatic: boolean; bump_stamp: number }>>;
  readonly unsubscribed: Record<string, Record<string, { bump_stamp: number }>>;
  readonly prev_batch?: string;
  readonly end?: string;
}

const rootsOf = ({ subscribed, unsubscribed }: Told): string[] =>
  [subscribed, unsubscribed].flatMap((rooms) => Object.values(rooms).flatMap((threads) => Object.keys(threads)));
const outcome = ({ status, body }: SyncAnswer): unknown[] => [status, body.errcode];

let app: SyncApp;
let users = 0;
let alice: SyncUser;
let bob: SyncUser;
let room: string;
let root: string;
let reply: string;

const person = (): Promise<SyncUser> => app.register(`person${users++}`);
const follow = (user: SyncUser, thread = root, cause?: string, where = room): Promise<SyncAnswer> =>
  user.call('PUT', pathOf(where, thread), cause === undefined ? {} : { automatic: cause });
const drop = (user: SyncUser, thread = root, where = room): Promise<SyncAnswer> =>
  user.call('DELETE', pathOf(where, thread));
const standing = (user: SyncUser, thread = root, where = room): Promise<SyncAnswer> =>
  user.call('GET', pathOf(where, thread));
const told = async (client: SlidingClient, more: object = {}, timeout = 0): Promise<Told | undefined> =>
  (await client.next(asking(more), timeout)).extensions[EXTENSION];

beforeAll(async () => {
  app = await SyncApp.start();
});
afterAll(() => app.close());

/** Alice's room with a thread, and Bob in it. */
beforeEach(async () => {
  [alice, bob] = [await person(), await person()];
  room = await alice.createRoom({ preset: 'public_chat' });
  await bob.join(room);
  root = await alice.send(room, 'a root');
  reply = await alice.send(room, 'a reply', inThread(root));
});

describe('a subscription to a thread', () => {
  it('is the user’s or their client’s, and the user’s wins', async () => {
    expect(outcome(await standing(bob))).toEqual([404, 'M_NOT_FOUND']);
    expect((await follow(bob, root, reply)).body).toEqual({});
    expect((await standing(bob)).body).toEqual({ automatic: true });
    expect((await follow(bob)).body).toEqual({});
    expect((await standing(bob)).body).toEqual({ automatic: false });
    expect((await follow(bob, root, reply)).body).toEqual({});
    expect((await standing(bob)).body).toEqual({ automatic: false });
    expect((await drop(bob)).body).toEqual({});
    expect((await drop(bob)).body).toEqual({});
    expect(outcome(await standing(bob))).toEqual([404, 'M_NOT_FOUND']);
    expect(outcome(await standing(alice))).toEqual([404, 'M_NOT_FOUND']);
  });

  it('writes nothing where nothing changes', async () => {
    const stream = `threads-${bob.userId}`;
    await drop(bob);
    expect(await app.factsOf(stream)).toEqual([]);
    for (let n = 0; n < 3; n++) await follow(bob, root, reply);
    for (let n = 0; n < 3; n++) await follow(bob);
    for (let n = 0; n < 3; n++) await drop(bob);
    const facts = await app.factsOf(stream);
    expect(facts.map(({ type }) => type)).toEqual(['thread-subscribed', 'thread-subscribed', 'thread-unsubscribed']);
  });

  it('can be to any event of the room, which need not have been answered yet, and to those of ignored users', async () => {
    await bob.ok('PUT', `/user/${bob.userId}/account_data/m.ignored_user_list`, {
      ignored_users: { [alice.userId]: {} },
    });
    const other = await alice.send(room, 'another root');
    expect((await follow(bob, other)).status).toBe(200);
    expect((await standing(bob, other)).body).toEqual({ automatic: false });
  });

  it('is made by a client because of an event of that thread alone', async () => {
    const [other, elsewhere] = [await alice.send(room, 'another root'), await alice.createRoom()];
    const [inOther, inOtherRoom] = [
      await alice.send(room, 'x', inThread(other)),
      await alice.send(elsewhere, 'x', inThread(root)),
    ];
    const redacted = await alice.send(room, 'oops', inThread(root));
    await alice.ok('PUT', `${roomPath(room)}/redact/${encodeURIComponent(redacted)}/t`, {});
    for (const cause of [other, inOther, inOtherRoom, root, redacted, '$of:nowhere'])
      expect([cause, ...outcome(await follow(bob, root, cause))]).toEqual([cause, 400, NOT_IN_THREAD]);
    const edit = { 'm.new_content': {}, 'm.relates_to': { rel_type: 'm.replace', event_id: reply } };
    expect((await follow(bob, root, await alice.send(room, 'an edit', edit))).status).toBe(200);
  });

  it('is not made by a client again because of what came before the user unsubscribed', async () => {
    await follow(bob);
    const later = await alice.send(room, 'later', inThread(root));
    await drop(bob);
    for (const cause of [reply, later]) expect(outcome(await follow(bob, root, cause))).toEqual([409, CONFLICT]);
    expect(outcome(await standing(bob))).toEqual([404, 'M_NOT_FOUND']);
    await app.restart();
    expect(outcome(await follow(bob, root, later))).toEqual([409, CONFLICT]);
    const news = await alice.send(room, 'news', inThread(root));
    expect((await follow(bob, root, news)).status).toBe(200);
    expect((await standing(bob)).body).toEqual({ automatic: true });
    await drop(bob);
    expect((await follow(bob)).status).toBe(200);
  });

  it('is not made by a client again because of what was fetched from the past since', async () => {
    const version = findRoomVersion('11')!;
    const forked = await alice.createRoom({ preset: 'public_chat', room_version: version.id });
    const others = new ForkedRoom(app.store, { roomId: forked as RoomId, version });
    const carol = OTHER_SERVER.user('carol');
    const { eventId: joined } = await others.join(carol);
    await bob.join(forked);
    const thread = await alice.send(forked, 'a root');
    await follow(bob, thread, undefined, forked);
    await drop(bob, thread, forked);
    const said = { sender: carol, type: 'm.room.message', content: inThread(thread), prevEvents: [joined] };
    const { eventId: past } = await others.fetch({ ...said, depth: 3 });
    expect(outcome(await follow(bob, thread, past, forked))).toEqual([409, CONFLICT]);
    const { eventId: late } = await others.receive({ ...said, depth: 4 });
    expect((await follow(bob, thread, late, forked)).status).toBe(200);
  });

  it('is refused where the thread is not there for the user, whatever the reason', async () => {
    const stranger = await person();
    const hidden = await alice.createRoom({
      preset: 'public_chat',
      initial_state: [{ type: 'm.room.history_visibility', state_key: '', content: { history_visibility: 'joined' } }],
    });
    const before = await alice.send(hidden, 'before');
    await bob.join(hidden);
    const cases: [SyncUser, string, string][] = [
      [bob, room, '$of:nowhere'],
      [bob, '!of:nowhere', root],
      [bob, hidden, root],
      [bob, hidden, before],
      [stranger, room, root],
    ];
    for (const [user, where, event] of cases)
      for (const answer of [await follow(user, event, undefined, where), await drop(user, event, where)])
        expect([where, event, ...outcome(answer)]).toEqual([where, event, 404, 'M_NOT_FOUND']);
    const world = await alice.createRoom({
      initial_state: [
        { type: 'm.room.history_visibility', state_key: '', content: { history_visibility: 'world_readable' } },
      ],
    });
    const seen = await alice.send(world, 'for all to see');
    expect(outcome(await follow(stranger, seen, undefined, world))).toEqual([404, 'M_NOT_FOUND']);
  });

  it.each([{ automatic: true }, { automatic: '' }, { automatic: 'x' }, { automatic: ['$a'] }])(
    'is refused with %j',
    async (body) => {
      expect(outcome(await bob.call('PUT', pathOf(room, root), body))).toEqual([400, 'M_INVALID_PARAM']);
      expect((await bob.call('PUT', pathOf(room, root), { automatic: null })).status).toBe(200);
    },
  );

  it('is hidden from who has left the room, is there again for who comes back, and ends with a forgotten room', async () => {
    await follow(bob);
    await bob.leave(room);
    expect(outcome(await standing(bob))).toEqual([404, 'M_NOT_FOUND']);
    expect(outcome(await follow(bob))).toEqual([404, 'M_NOT_FOUND']);
    await bob.join(room);
    expect((await standing(bob)).body).toEqual({ automatic: false });
    await bob.leave(room);
    await bob.ok('POST', `${roomPath(room)}/forget`, {});
    await bob.join(room);
    expect(outcome(await standing(bob))).toEqual([404, 'M_NOT_FOUND']);
  });

  it('is one of many made at once, of which each device may make the same', async () => {
    const devices = [bob, await bob.logIn(), await bob.logIn()];
    const answers = await Promise.all(
      devices.flatMap((device) => [follow(device, root, reply), follow(device), drop(device), follow(device)]),
    );
    expect(answers.filter(({ status }) => status !== 200 && status !== 409)).toEqual([]);
    const facts = await app.factsOf(`threads-${bob.userId}`);
    const stamps = facts.map(({ data }) => (JSON.parse(data) as { stamp: number }).stamp);
    expect(stamps).toEqual([...new Set(stamps)].toSorted((a, b) => a - b));
    expect((await standing(bob)).body).toEqual({ automatic: false });
  });
});

describe('push rules about threads', () => {
  const rules = async (user: SyncUser): Promise<boolean[]> =>
    (await user.ok('GET', '/pushrules/global/postcontent/')).map(({ enabled }: { enabled: boolean }) => enabled);
  const unread = async (user: SyncUser): Promise<Record<string, number>> => {
    const filter = { room: { timeline: { unread_thread_notifications: true } } };
    const found = (await user.sync({ filter })).rooms.join[room];
    const counts = { main: found.unread_notifications, ...found.unread_thread_notifications };
    return Object.fromEntries(
      Object.entries<{ notification_count: number }>(counts).map(([thread, count]) => [
        thread,
        count.notification_count,
      ]),
    );
  };

  it('count for nobody who never subscribed to one, and for who did from then on', async () => {
    expect(await rules(bob)).toEqual([false, false]);
    expect(await unread(bob)).toEqual({ main: 1, [root]: 1 });
    const other = await alice.send(room, 'another root');
    await alice.send(room, 'in there', inThread(other));
    await follow(bob);
    expect(await rules(bob)).toEqual([true, true]);
    expect(await unread(bob)).toEqual({ main: 2, [root]: 1 });
    await alice.send(room, 'a mention', { ...inThread(other), 'm.mentions': { user_ids: [bob.userId] } });
    expect(await unread(bob)).toEqual({ main: 2, [root]: 1, [other]: 1 });
    await follow(bob, other);
    expect(await unread(bob)).toEqual({ main: 2, [root]: 1, [other]: 2 });
    await app.restart();
    expect(await unread(bob)).toEqual({ main: 2, [root]: 1, [other]: 2 });
    await drop(bob);
    expect(await unread(bob)).toEqual({ main: 2, [other]: 2 });
    expect(await unread(alice)).toEqual({ main: 0 });
  });

  it('let subscribed threads notify in a room that is muted', async () => {
    await bob.ok('PUT', `/pushrules/global/room/${encodeURIComponent(room)}`, { actions: [] });
    expect(await unread(bob)).toEqual({ main: 0 });
    await follow(bob);
    expect(await unread(bob)).toEqual({ main: 0, [root]: 1 });
  });

  it('stay as the user has set them', async () => {
    const id = '.io.element.msc4306.rule.unsubscribed_thread';
    await bob.ok('PUT', `/pushrules/global/postcontent/${id}/enabled`, { enabled: true });
    await bob.ok('PUT', `/pushrules/global/postcontent/${id}/enabled`, { enabled: false });
    await follow(bob);
    await expect.poll(() => rules(bob)).toEqual([false, true]);
    expect(await unread(bob)).toEqual({ main: 1, [root]: 1 });
  });
});

describe.each([
  ['the shape of today’s clients', SlidingClient],
  ['the shape of MSC4186', StableSlidingClient],
] as const)('sliding sync in %s', (_, Client) => {
  it('tells of threads where it is asked to, at first all and then what changes, as it changes', async () => {
    await follow(bob);
    const client = new Client(bob);
    expect((await new Client(bob, 'other').next({})).extensions).toEqual({});
    const first = await told(client);
    const stamp = first!.subscribed[room]![root]!.bump_stamp;
    expect(first).toEqual({
      subscribed: { [room]: { [root]: { automatic: false, bump_stamp: stamp } } },
      unsubscribed: {},
    });
    expect(await told(client)).toBeUndefined();
    const waiting = told(client, {}, 30_000);
    await drop(bob);
    const second = await waiting;
    const { bump_stamp: later } = second!.unsubscribed[room]![root]!;
    expect(second).toEqual({ subscribed: {}, unsubscribed: { [room]: { [root]: { bump_stamp: later } } } });
    expect(later).toBeGreaterThan(stamp);
    expect(await told(client)).toBeUndefined();
    await follow(bob, root, await alice.send(room, 'news', inThread(root)));
    expect((await told(client))!.subscribed[room]![root]).toMatchObject({ automatic: true });
    expect(await told(new Client(alice))).toBeUndefined();
  });
});

describe('sliding sync', () => {
  const roots: string[] = [];
  beforeEach(async () => {
    roots.length = 0;
    for (let n = 0; n < 5; n++) roots.push(await alice.send(room, `root ${n}`));
  });
  const followAll = async (): Promise<void> => {
    for (const thread of roots) expect((await follow(bob, thread)).status).toBe(200);
  };
  const page = (from: string | undefined, to: string | undefined, limit?: number): Promise<Told> => {
    const params = { from, to, limit };
    const query = Object.entries(params).flatMap(([key, value]) => (value === undefined ? [] : [`&${key}=${value}`]));
    return bob.ok('GET', `${PAGES}?dir=b${query.join('')}`);
  };

  it('tells of the last changes, and of the others page by page', async () => {
    const client = new SlidingClient(bob);
    await follow(bob);
    await told(client);
    const { pos } = client;
    await followAll();
    const news = (await told(client, { limit: 2 }))!;
    expect(rootsOf(news)).toEqual(expect.arrayContaining(roots.slice(3)));
    expect(rootsOf(news)).toHaveLength(2);
    const next = await page(news.prev_batch, pos, 2);
    expect(rootsOf(next).toSorted()).toEqual(roots.slice(1, 3).toSorted());
    const last = await page(next.end, pos, 2);
    expect(last).toEqual({ subscribed: { [room]: { [roots[0]!]: expect.anything() } }, unsubscribed: {} });
    expect(rootsOf(await page(undefined, pos)).toSorted()).toEqual(roots.toSorted());
    expect(rootsOf(await page(undefined, undefined)).toSorted()).toEqual([root, ...roots].toSorted());
    expect(rootsOf(await page(news.prev_batch, undefined)).toSorted()).toEqual([root, ...roots.slice(0, 3)].toSorted());
    expect(await page(undefined, client.pos)).toEqual({ subscribed: {}, unsubscribed: {} });
    expect(await told(client)).toBeUndefined();
  });

  it('has no next page where a page holds all', async () => {
    await followAll();
    const all = (await told(new SlidingClient(bob), { limit: 5 }))!;
    expect([rootsOf(all).length, all.prev_batch]).toEqual([5, undefined]);
    expect(await page(undefined, undefined, 5)).not.toHaveProperty('end');
    expect(await page(undefined, undefined, 4)).toHaveProperty('end');
  });

  it('tells the same again where the answer was lost, and goes on after a restart', async () => {
    const client = new SlidingClient(bob);
    await told(client);
    await followAll();
    const lost = (await client.ask(asking({ limit: 2 }))).body.extensions[EXTENSION];
    await app.restart();
    expect(await told(client, { limit: 2 })).toEqual(lost);
    await app.restart();
    expect(await told(client)).toBeUndefined();
    expect(rootsOf(await page(lost.prev_batch, undefined))).toHaveLength(3);
  });

  it.each([true, false])('leaves nothing out that only pages tell (asked for before: %s)', async (wasAsked) => {
    const client = new SlidingClient(bob);
    await (wasAsked ? told(client) : client.next({}));
    await follow(bob);
    await client.next({});
    await client.next({});
    await followAll();
    const { pos } = client;
    const news = (await told(client, { limit: 2 }))!;
    const seen = [...rootsOf(news)];
    for (let from = news.prev_batch; from !== undefined;) {
      const next = await page(from, pos, 2);
      seen.push(...rootsOf(next));
      from = next.end;
    }
    expect(seen.toSorted()).toEqual([root, ...roots].toSorted());
  });

  it('tells nothing of rooms that the user has left, and all of it where they come back', async () => {
    await followAll();
    await drop(bob, roots[0]);
    const client = new SlidingClient(bob);
    await told(client);
    await bob.leave(room);
    expect(await told(client)).toBeUndefined();
    expect(await told(new SlidingClient(bob, 'new'))).toBeUndefined();
    expect(rootsOf(await page(undefined, undefined))).toEqual([]);
    const away = new SlidingClient(bob, 'away');
    await told(away);
    await bob.join(room);
    const news = (await told(away, { limit: 2 }))!;
    const rest = await page(news.prev_batch, undefined);
    expect([...rootsOf(news), ...rootsOf(rest)].toSorted()).toEqual(roots.toSorted());
    expect(rootsOf({ ...rest, subscribed: {} }).length + rootsOf({ ...news, subscribed: {} }).length).toBe(1);
    await bob.leave(room);
    await bob.ok('POST', `${roomPath(room)}/forget`, {});
    expect(await told(client)).toBeUndefined();
    await bob.join(room);
    for (const each of [client, new SlidingClient(bob, 'after')]) {
      const { subscribed, unsubscribed } = (await told(each))!;
      expect([subscribed, Object.keys(unsubscribed[room]!).toSorted()]).toEqual([{}, roots.toSorted()]);
    }
  });

  it('refuses what is no place in them, and no other', async () => {
    await followAll();
    const { prev_batch: from } = (await told(new SlidingClient(bob), { limit: 1 }))!;
    const query = (text: string): Promise<SyncAnswer> => bob.call('GET', `${PAGES}?${text}`);
    for (const text of ['dir=f', 'dir=b&limit=0', 'dir=b&from=x', 'dir=b&to=x', `dir=b&to=${from}`, 'dir=b&from=s1_0'])
      expect([text, ...outcome(await query(text))]).toEqual([text, 400, 'M_INVALID_PARAM']);
    expect(outcome(await query('limit=1'))).toEqual([400, 'M_MISSING_PARAM']);
    expect((await query('dir=b&from=&to=')).status).toBe(200);
    // Of a history of the log that nobody knows: all is told again, and nobody asks for ever.
    expect(rootsOf((await query(`dir=b&from=${from!.replace('_', '-00000000_')}`)).body)).toHaveLength(5);
    const { status, body } = await new SlidingClient(bob, 'bad').ask(asking({ limit: 'x' }));
    expect([status, body.errcode]).toEqual([400, 'M_INVALID_PARAM']);
  });
});

describe('an account that is closed', () => {
  it('has no threads any more, in the views or in the log', async () => {
    await follow(bob);
    await drop(bob);
    await follow(bob);
    const stream = `threads-${bob.userId}`;
    expect(await app.factsOf(stream)).toHaveLength(3);
    await bob.close();
    await expect
      .poll(async () => (await app.factsOf(stream)).map(({ type }) => type))
      .toEqual(['thread-subscriptions-ended']);
    await app.settled();
    for (const name of ['thread-subscriptions', 'thread-subscriptions-log'])
      expect(await app.views.scan(name, { prefix: [bob.userId], limit: 10 })).toEqual([]);
  });
});

/** A client that believes what it is told, by stamps, and loses answers. */
class ModelClient {
  readonly threads = new Map<string, { stamp: number; is: string }>();
  readonly #client: SlidingClient;

  constructor(
    readonly user: SyncUser,
    connId: string,
  ) {
    this.#client = new SlidingClient(user, connId);
  }

  async look(next: (below: number) => number): Promise<void> {
    if (next(4) === 0) return void (await this.#client.next({}));
    const limit = 1 + next(3);
    if (next(4) === 0) expect((await this.#client.ask(asking({ limit }))).status).toBe(200);
    await this.take(limit);
  }

  async take(limit: number): Promise<void> {
    const { pos } = this.#client;
    const news = await told(this.#client, { limit });
    if (news === undefined) return;
    this.#believe(news);
    const to = pos === undefined ? '' : `&to=${pos}`;
    for (let from = news.prev_batch; from !== undefined;) {
      const page: Told = await this.user.ok('GET', `${PAGES}?dir=b&limit=2&from=${from}${to}`);
      this.#believe(page);
      from = page.end;
    }
  }

  #believe({ subscribed, unsubscribed }: Told): void {
    for (const threads of Object.values(subscribed))
      for (const [id, { automatic, bump_stamp }] of Object.entries(threads))
        this.#note(id, bump_stamp, String(automatic));
    for (const threads of Object.values(unsubscribed))
      for (const [id, { bump_stamp }] of Object.entries(threads)) this.#note(id, bump_stamp, 'no');
  }

  #note(id: string, stamp: number, is: string): void {
    if (stamp >= (this.threads.get(id)?.stamp ?? 0)) this.threads.set(id, { stamp, is });
  }
}

const LIVES = Number(process.env['ANNALS_THREADS_LIVES'] ?? 4);

describe.each(Array.from({ length: LIVES }, (_, n) => n + 1))('clients of the random history %i', (seed) => {
  it('have how their user stands to each thread in the end', { timeout: 120_000 }, async () => {
    const next = numbersFrom(seed);
    const rooms = [room, await alice.createRoom({ preset: 'public_chat' })];
    await bob.join(rooms[1]!);
    const threads: { where: string; id: string }[] = [];
    for (let n = 0; n < 8; n++) {
      const where = rooms[n % 2]!;
      threads.push({ where, id: await alice.send(where, `root ${n}`) });
    }
    const clients = ['one', 'two', 'three'].map((id) => new ModelClient(bob, id));
    const away = new Set<string>();
    for (let step = 0; step < 70; step++) {
      const { where, id } = threads[next(threads.length)]!;
      switch (next(8)) {
        case 0:
          await follow(bob, id, undefined, where);
          break;
        case 1:
          await follow(bob, id, await alice.send(where, 'x', inThread(id)), where);
          break;
        case 2:
          await drop(bob, id, where);
          break;
        case 3:
          if (next(3) > 0) break;
          if (away.delete(where)) await bob.join(where);
          else await bob.leave(where).then(() => away.add(where));
          if (away.has(where) && next(2) === 0) await bob.ok('POST', `${roomPath(where)}/forget`, {});
          break;
        case 4:
          if (next(8) === 0) await app.restart();
          break;
        default:
          await clients[next(clients.length)]!.look(next);
      }
    }
    for (const where of away) await bob.join(where);
    const expected = new Map<string, string>();
    for (const { where, id } of threads) {
      const { status, body } = await standing(bob, id, where);
      expected.set(id, status === 200 ? String(body.automatic) : 'no');
    }
    for (const client of [...clients, new ModelClient(bob, 'late')]) {
      await client.take(3);
      for (const { id } of threads) expect([id, client.threads.get(id)?.is ?? 'no']).toEqual([id, expected.get(id)]);
    }
  });
});
