import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SlidingClient, StableSlidingClient } from '#testing/sliding-client';
import { queryOf, roomPath, SyncApp, type SyncAnswer, type SyncUser } from '#testing/sync-app';

const NAME = 'org.matrix.msc4354.sticky_events';
const DURATION = 'org.matrix.msc4354.sticky_duration_ms';
const LIST = { ranges: [[0, 19]], required_state: [], timeline_limit: 1 };

let app: SyncApp;
let alice: SyncUser;
let bob: SyncUser;
let roomId: string;
let transactions = 0;

beforeEach(async () => {
  app = await SyncApp.start(undefined, { ANNALS_STICKY_EVENTS: 'on' });
  [alice, bob] = [await app.register('alice'), await app.register('bob')];
  roomId = await shared();
});
afterEach(() => app.close());

async function shared(options: object = {}): Promise<string> {
  const room = await alice.createRoom({ preset: 'public_chat', ...options });
  await bob.join(room);
  return room;
}

async function stick(body: string, room = roomId): Promise<string> {
  const path = `${roomPath(room)}/send/m.room.message/sticky${transactions++}?${queryOf({ [DURATION]: 3_600_000 })}`;
  return (await alice.ok('PUT', path, { msgtype: 'm.text', body })).event_id;
}

/** Says things that are not sticky, so that a timeline of one event shows none that is. */
const chatter = (room = roomId): Promise<string> => alice.send(room, 'chatter');

type Body = SyncAnswer['body'];

/** A client that keeps the token of the extension. */
class Client {
  since: string | undefined;

  constructor(
    readonly connection: SlidingClient,
    private readonly lists: object = { all: LIST },
    private readonly more: object = {},
  ) {}

  async next({ limit, timeout = 0 }: { limit?: number; timeout?: number } = {}): Promise<Body> {
    const extensions = { [NAME]: { enabled: true, since: this.since, limit } };
    const answer = await this.connection.next({ lists: this.lists, ...this.more, extensions }, timeout);
    this.since = answer.extensions[NAME]?.next_batch ?? this.since;
    return answer;
  }

  /** What the next answer says is sticky, by room. */
  async sticky(options: { limit?: number; timeout?: number } = {}): Promise<Record<string, string[]>> {
    return stickyOf(await this.next(options));
  }
}

function stickyOf({ extensions }: Body): Record<string, string[]> {
  const rooms: [string, { events: Body[] }][] = Object.entries(extensions[NAME]?.rooms ?? {});
  return Object.fromEntries(rooms.map(([room, { events }]) => [room, events.map(({ content }) => content.body)]));
}

describe('sticky events in sliding sync', () => {
  it('are told at first all, and then each once, as the token says, in both shapes', async () => {
    await stick('one');
    await stick('two');
    await chatter();
    const stable = { all: { ...LIST, required_state: {} } };
    for (const client of [new Client(new SlidingClient(bob)), new Client(new StableSlidingClient(bob), stable)]) {
      const answer = await client.next();
      expect(stickyOf(answer)).toEqual({ [roomId]: ['one', 'two'] });
      const [event] = answer.extensions[NAME].rooms[roomId].events;
      expect(event).toMatchObject({ msc4354_sticky: { duration_ms: 3_600_000 }, type: 'm.room.message' });
      expect(event.unsigned.msc4354_sticky_duration_ttl_ms).toBeGreaterThan(3_000_000);
      expect((await client.next()).extensions).toEqual({});
      client.since = undefined;
      expect(await client.sticky()).toEqual({ [roomId]: ['one', 'two'] });
    }
  });

  it('wake who waits, and go where the token goes, whatever the connection, after a restart too', async () => {
    const client = new Client(new SlidingClient(bob));
    await client.next();
    const waiting = client.next({ timeout: 20_000 });
    await stick('in the timeline');
    const answer = await waiting;
    // It is told once: by the timeline.
    expect(stickyOf(answer)).toEqual({});
    expect(answer.rooms[roomId].timeline.map(({ content }: Body) => content.body)).toEqual(['in the timeline']);
    await stick('behind');
    await chatter();
    const other = new Client(new SlidingClient(bob, 'other'));
    other.since = client.since;
    expect(await other.sticky()).toEqual({ [roomId]: ['behind'] });
    await app.restart();
    expect(await client.sticky()).toEqual({ [roomId]: ['behind'] });
    expect(await client.sticky()).toEqual({});
  });

  it('come in pages, the oldest first, of all rooms together', async () => {
    const second = await shared();
    for (let n = 0; n < 3; n++) {
      await stick(`a${n}`);
      await stick(`b${n}`, second);
    }
    await chatter();
    await chatter(second);
    const client = new Client(new SlidingClient(bob));
    expect(await client.sticky({ limit: 4 })).toEqual({ [roomId]: ['a0', 'a1'], [second]: ['b0', 'b1'] });
    await stick('a3');
    await chatter();
    // Nobody waits where there is more.
    expect(await client.sticky({ limit: 2, timeout: 20_000 })).toEqual({ [roomId]: ['a2'], [second]: ['b2'] });
    expect(await client.sticky({ limit: 2, timeout: 20_000 })).toEqual({ [roomId]: ['a3'] });
    expect(await client.sticky({ limit: 2 })).toEqual({});
  });

  it('are of every room that a list or a subscription has, in its ranges or not, and of no other', async () => {
    const spoken = await shared();
    const space = await shared({ creation_content: { type: 'm.space' } });
    await stick('out of range');
    await chatter();
    await stick('in a space', space);
    await alice.send(space, 'chatter');
    await chatter(spoken);
    const narrow = { all: { ...LIST, ranges: [[0, 0]], filters: { not_room_types: ['m.space'] } } };
    const client = new Client(new SlidingClient(bob), narrow);
    const answer = await client.next();
    expect(Object.keys(answer.rooms)).toEqual([spoken]);
    expect(stickyOf(answer)).toEqual({ [roomId]: ['out of range'] });
    const subscribed = { room_subscriptions: { [space]: { required_state: [], timeline_limit: 1 } } };
    expect(await new Client(new SlidingClient(bob, 'other'), {}, subscribed).sticky()).toEqual({
      [space]: ['in a space'],
    });
  });

  it('are told again of a room that comes into view, which the client did not know before', async () => {
    const other = await shared();
    await stick('early');
    await chatter();
    await chatter(other);
    const client = new Client(new SlidingClient(bob), { all: { ...LIST, ranges: [[0, 0]] } });
    expect(stickyOf(await client.next())).toEqual({ [roomId]: ['early'] });
    await chatter();
    const answer = await client.next();
    expect(answer.rooms[roomId]).toMatchObject({ initial: true });
    expect(stickyOf(answer)).toEqual({ [roomId]: ['early'] });
    await chatter();
    expect(await client.sticky()).toEqual({});
  });

  it('are all told of a room that the user joins later', async () => {
    const room = await alice.createRoom({ preset: 'public_chat' });
    await alice.setState(room, 'm.room.history_visibility', { history_visibility: 'joined' });
    const client = new Client(new SlidingClient(bob));
    for (let n = 0; n < 3; n++) await stick(`${n}`, room);
    await client.next();
    expect(await client.sticky()).toEqual({});
    await bob.join(room);
    await chatter(room);
    expect(await client.sticky({ limit: 1 })).toEqual({ [room]: ['0', '1', '2'] });
    expect(await client.sticky()).toEqual({});
    await bob.leave(room);
    await stick('after you went', room);
    expect(await client.sticky()).toEqual({});
  });

  it('of who is ignored are not told', async () => {
    await stick('hear me');
    await chatter();
    const ignored = { ignored_users: { [alice.userId]: {} } };
    await bob.ok('PUT', `/user/${bob.userId}/account_data/m.ignored_user_list`, ignored);
    expect(await new Client(new SlidingClient(bob)).sticky()).toEqual({});
  });

  it('have a token, and what is none is refused', async () => {
    for (const since of ['y', 'd1', 'y-1', 'x', 'yb1']) {
      const { status, body } = await new SlidingClient(bob).ask({ extensions: { [NAME]: { enabled: true, since } } });
      expect([since, status, body.errcode]).toEqual([since, 400, 'M_INVALID_PARAM']);
    }
    // The log was put back, and nobody noticed.
    const client = new Client(new SlidingClient(bob));
    client.since = 'y9999999999';
    await client.next();
    await stick('now');
    await chatter();
    expect(await client.sticky()).toEqual({ [roomId]: ['now'] });
  });

  it('are not told where nobody asks, nor where no events are to be sticky', async () => {
    await stick('one');
    await chatter();
    const asked = { [NAME]: { enabled: false } };
    expect((await new SlidingClient(bob).next({ lists: { all: LIST }, extensions: asked })).extensions).toEqual({});
    const off = await SyncApp.start();
    try {
      const user = await off.register('bob');
      const { extensions } = await new SlidingClient(user).next({ extensions: { [NAME]: { enabled: true } } });
      expect(extensions).toEqual({});
    } finally {
      await off.close();
    }
  });
});
