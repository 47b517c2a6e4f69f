import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { nameLog, noteRestored } from '#event-store/log-identity';
import { placeOf, type StreamMoment } from '#http/tokens/stream-token';
import { systemClock } from '#kernel/clock';
import type { DeviceId, UserId } from '#kernel/ids';
import type { Requester } from '#kernel/requester';
import { EventPages } from '#sync/events/event-page';
import { ActiveUsers } from '#sync/notifier/active-users';
import { StreamMoments } from '#sync/streams/stream-moments';
import { TEST_AUTHOR } from '#testing/local-room';
import { SlidingClient } from '#testing/sliding-client';
import { queryOf, roomPath, SyncApp, type SyncUser } from '#testing/sync-app';

/** What former members are told: all that came before the end of their stay, and of what came after only what became of them. */

let app: SyncApp;
let alice: SyncUser;
let count = 0;

beforeAll(async () => {
  app = await SyncApp.start();
  alice = await app.register('alice');
});
afterAll(() => app.close());

const kick = (roomId: string, who: SyncUser, how = 'kick'): Promise<unknown> =>
  alice.ok('POST', `${roomPath(roomId)}/${how}`, { user_id: who.userId });
const invite = (roomId: string, who: SyncUser): Promise<unknown> => kick(roomId, who, 'invite');

interface Stay {
  readonly roomId: string;
  readonly bob: SyncUser;
  /** Where Bob's client was while he was in the room. */
  readonly since: string;
}

/** A room in which Bob was, with a name and words of then. */
async function stay(options: object = {}): Promise<Stay> {
  const bob = await app.register(`bob${count++}`);
  const roomId = await alice.createRoom({ preset: 'public_chat', name: 'then', ...options });
  await bob.join(roomId);
  await alice.send(roomId, 'said then');
  const { next_batch: since } = await bob.sync();
  return { roomId, bob, since };
}

/** How a stay can end, and what can become of the user afterwards. */
const ENDS: Readonly<Record<string, (stay: Stay) => Promise<void>>> = {
  leaves: ({ roomId, bob }) => bob.leave(roomId),
  'leaves and is banned': async ({ roomId, bob }) => {
    await bob.leave(roomId);
    await later(roomId);
    await kick(roomId, bob, 'ban');
  },
  'is kicked, knocks and takes that back': async ({ roomId, bob }) => {
    await kick(roomId, bob);
    await later(roomId);
    await alice.setState(roomId, 'm.room.join_rules', { join_rule: 'knock' });
    await bob.ok('POST', `/knock/${encodeURIComponent(roomId)}`, {});
    await bob.leave(roomId);
  },
  'leaves, is invited again and declines': async ({ roomId, bob }) => {
    await bob.leave(roomId);
    await later(roomId);
    await invite(roomId, bob);
    await bob.leave(roomId);
  },
};

/** Things happen that the user is not there for. */
async function later(roomId: string): Promise<void> {
  await alice.setState(roomId, 'm.room.name', { name: 'SECRET' });
  await alice.send(roomId, 'SECRET');
}

/** What of an answer's section for a room comes from after the stay, and the user's own memberships in its timeline. */
function told(section: Record<string, { events: Record<string, unknown>[] }>, bob: SyncUser): string[] {
  expect(JSON.stringify(section)).not.toContain('SECRET');
  const events = Object.values(section).flatMap((part) => part.events ?? []);
  const strange = events.filter(({ type }) => type === 'm.room.join_rules');
  for (const event of strange) expect(event['content']).toMatchObject({ join_rule: 'public' });
  const own = events.filter(({ type, state_key: key }) => type === 'm.room.member' && key === bob.userId);
  return own.map(({ content }) => String((content as { membership?: string }).membership));
}

describe.each(Object.keys(ENDS))('who %s', (end) => {
  const last = end.endsWith('banned') ? 'ban' : 'leave';
  const WAYS: Readonly<Record<string, object>> = {
    'as it is': {},
    'with the state after the timeline': { use_state_after: true },
    'with no timeline': { filter: { room: { timeline: { limit: 0 } } } },
    'with no timeline and the state after it': { use_state_after: true, filter: { room: { timeline: { limit: 0 } } } },
    'with a timeline of one event': { filter: { room: { timeline: { limit: 1 } } } },
    'with members loaded lazily': { filter: { room: { state: { lazy_load_members: true } } } },
    'with all of the state': { full_state: true },
  };

  it('is told in /sync of nothing that came after the stay but their own membership', async () => {
    const bobsStay = await stay();
    const { roomId, bob, since } = bobsStay;
    await ENDS[end]!(bobsStay);
    await later(roomId);
    for (const [way, params] of Object.entries(WAYS)) {
      const { rooms } = await bob.sync({ since, ...params });
      expect(told(rooms.leave[roomId], bob).at(-1), way).toBe(last);
    }
  });

  it('is told no more by an initial sync that asks for left rooms', async () => {
    const bobsStay = await stay();
    const { roomId, bob } = bobsStay;
    await ENDS[end]!(bobsStay);
    await later(roomId);
    const room = { include_leave: true, timeline: { limit: 50 } };
    for (const stateAfter of [false, true]) {
      const { rooms } = await bob.sync({ filter: { room }, use_state_after: stateAfter });
      expect(told(rooms.leave[roomId], bob).at(-1)).toBe(last);
      expect(JSON.stringify(rooms.leave[roomId])).toContain('said then');
    }
  });

  it('reads events, state and members as they were at the end of the stay', async () => {
    const bobsStay = await stay();
    const { roomId, bob } = bobsStay;
    await ENDS[end]!(bobsStay);
    await later(roomId);
    const carol = await app.register(`carol${count++}`);
    await invite(roomId, carol);
    const path = roomPath(roomId);
    const today = [`${path}/messages?dir=b`, `${path}/messages?dir=f`, `${path}/state`, `${path}/members`, `${path}/initialSync`]; // prettier-ignore
    const v1 = ['messages', 'state', 'members', 'initialSync'].map((what) => `/_matrix/client/api/v1${path}/${what}`);
    for (const url of [...today, ...v1]) {
      const text = JSON.stringify(await bob.ok('GET', url));
      expect(text, url).not.toContain('SECRET');
      expect(text, url).not.toContain(carol.userId);
    }
    expect(await bob.ok('GET', `${path}/state/m.room.name`)).toEqual({ name: 'then' });
    expect((await bob.call('GET', `${path}/joined_members`)).status).toBe(403);
  });
});

describe('who left a room that was open to the world for a while', () => {
  it('is told the same by pages in both directions', async () => {
    const { roomId, bob } = await stay();
    await bob.leave(roomId);
    for (const value of ['world_readable', 'joined']) {
      await alice.setState(roomId, 'm.room.history_visibility', { history_visibility: value });
      await alice.send(roomId, `while ${value}`);
    }
    const path = roomPath(roomId);
    const idsOf = ({ chunk }: { chunk: { event_id: string }[] }): string[] => chunk.map(({ event_id: id }) => id);
    const [back, on] = [
      idsOf(await bob.ok('GET', `${path}/messages?dir=b&limit=100`)),
      idsOf(await bob.ok('GET', `${path}/messages?dir=f&limit=100`)),
    ];
    expect(on).toEqual(back.toReversed());
    const v1 = async (query: object): Promise<string[]> =>
      idsOf((await bob.v1('GET', `${path}/messages?${queryOf(query as Record<string, string>)}`)).body);
    expect(await v1({ from: 'START', to: 'END' })).toEqual(on);
  });
});

describe('what a state event replaced', () => {
  it('is told only to who may see that event too, by every door', async () => {
    const roomId = await alice.createRoom({
      preset: 'public_chat',
      name: 'SECRET',
      initial_state: [{ type: 'm.room.history_visibility', content: { history_visibility: 'joined' } }],
    });
    const bob = await app.register(`bob${count++}`);
    const { next_batch: since } = await bob.sync();
    await bob.join(roomId);
    const named = await alice.setState(roomId, 'm.room.name', { name: 'new' });
    const path = roomPath(roomId);
    const answers = [
      await bob.ok('GET', `${path}/event/${named}`),
      await bob.ok('GET', `${path}/context/${named}`),
      await bob.ok('GET', `${path}/messages?dir=b`),
      await bob.ok('GET', `${path}/state`),
      await bob.ok('GET', `${path}/state/m.room.name?format=event`),
      await bob.ok('GET', `${path}/initialSync`),
      await bob.sync({ since }),
      await bob.sync(),
      (await bob.v1('GET', `${path}/messages`)).body,
      (await bob.v1('GET', '/events?from=START&to=END')).body,
    ];
    for (const [i, answer] of answers.entries()) {
      const text = JSON.stringify(answer);
      expect(text, `answer ${i}`).toContain('"new"');
      expect(text, `answer ${i}`).not.toContain('SECRET');
    }
    // "Unlike prev_content, this field is included regardless of history visibility."
    expect(answers[0].unsigned).toHaveProperty('replaces_state');
    const seen = await alice.ok('GET', `${path}/event/${named}`);
    expect(seen.unsigned.prev_content).toEqual({ name: 'SECRET' });
  });

  it('is told to who has read it, also in the answer by which a later one is read', async () => {
    const { roomId, bob, since } = await stay();
    await alice.setState(roomId, 'm.room.name', { name: 'new' });
    const { rooms } = await bob.sync({ since });
    expect(rooms.join[roomId].timeline.events[0].unsigned.prev_content).toEqual({ name: 'then' });
  });
});

describe('what redacted an event', () => {
  it('is not told to who left before, while the event is redacted for them as for all', async () => {
    const { roomId, bob } = await stay();
    const eventId = await alice.send(roomId, 'oops');
    await bob.leave(roomId);
    const path = roomPath(roomId);
    await alice.ok('PUT', `${path}/redact/${eventId}/${count++}`, { reason: 'SECRET' });
    const event = await bob.ok('GET', `${path}/event/${eventId}`);
    expect(event.content).toEqual({});
    expect(event.unsigned).not.toHaveProperty('redacted_because');
    const seen = await alice.ok('GET', `${path}/event/${eventId}`);
    expect(seen.unsigned.redacted_because.content).toMatchObject({ reason: 'SECRET' });
  });

  it('is seen at once in a repeated sync of a room that was left', async () => {
    const { roomId, bob, since } = await stay();
    const eventId = await alice.send(roomId, 'OOPS');
    await bob.leave(roomId);
    const before = await bob.sync({ since });
    expect(JSON.stringify(before.rooms.leave[roomId].timeline)).toContain('OOPS');
    await alice.ok('PUT', `${roomPath(roomId)}/redact/${eventId}/${count++}`, {});
    const after = await bob.sync({ since });
    expect(JSON.stringify(after.rooms.leave[roomId].timeline)).toContain(eventId);
    expect(JSON.stringify(after.rooms.leave[roomId].timeline)).not.toContain('OOPS');
  });
});

describe('a room that was forgotten', () => {
  /** Each way to read of the room, and how it is refused. */
  async function refusals(bob: SyncUser, roomId: string, eventId: string): Promise<string[]> {
    const path = roomPath(roomId);
    const ways = [
      `${path}/messages?dir=b`,
      `${path}/state`,
      `${path}/state/m.room.name`,
      `${path}/members`,
      `${path}/joined_members`,
      `${path}/context/${eventId}`,
      `${path}/initialSync`,
      `/_matrix/client/v1${path}/timestamp_to_event?ts=0&dir=f`,
      `/events?${queryOf({ room_id: roomId })}`,
      `/_matrix/client/api/v1${path}/messages`,
      `/_matrix/client/api/v1${path}/state`,
      `/_matrix/client/api/v1${path}/members`,
      `/_matrix/client/api/v1${path}/initialSync`,
      `/_matrix/client/api/v1/events?${queryOf({ room_id: roomId })}`,
      `${path}/event/${eventId}`,
      `/events/${eventId}`,
      `/_matrix/client/v1${path}/relations/${eventId}`,
      `/_matrix/client/api/v1/events/${eventId}`,
    ];
    const answers: string[] = [];
    for (const way of ways) {
      const { status, body } = await bob.call('GET', way);
      answers.push(`${status} ${body.errcode}`);
    }
    return answers;
  }
  const CLOSED = [...Array<string>(14).fill('403 M_FORBIDDEN'), ...Array<string>(4).fill('404 M_NOT_FOUND')];

  it('is closed by every door, as one that is not there, until it is joined again', async () => {
    const { roomId, bob } = await stay();
    const eventId = await alice.send(roomId, 'hi');
    await bob.leave(roomId);
    expect((await bob.call('GET', `${roomPath(roomId)}/event/${eventId}`)).status).toBe(200);
    await bob.ok('POST', `${roomPath(roomId)}/forget`, {});
    expect(await refusals(bob, roomId, eventId)).toEqual(CLOSED);
    expect(await refusals(bob, '!none:a.example', '$none')).toEqual(CLOSED);
    await invite(roomId, bob);
    expect(await refusals(bob, roomId, eventId)).toEqual(CLOSED);
    await bob.leave(roomId);
    expect(await refusals(bob, roomId, eventId)).toEqual(CLOSED);
    await bob.join(roomId);
    expect(new Set(await refusals(bob, roomId, eventId))).toEqual(new Set(['200 undefined']));
  });

  it('is as any room that the world may read', async () => {
    const { roomId, bob } = await stay();
    const before = await alice.send(roomId, 'before');
    await alice.setState(roomId, 'm.room.history_visibility', { history_visibility: 'world_readable' });
    const open = await alice.send(roomId, 'open');
    await bob.leave(roomId);
    await bob.ok('POST', `${roomPath(roomId)}/forget`, {});
    const { chunk } = await bob.ok('GET', `${roomPath(roomId)}/messages?dir=b&limit=50`);
    const ids = chunk.map((event: { event_id: string }) => event.event_id);
    expect(ids).toContain(open);
    expect(ids).not.toContain(before);
  });

  it('says in /sync only what became of the user when it has been left again unjoined', async () => {
    const { roomId, bob, since } = await stay();
    await bob.leave(roomId);
    await bob.ok('POST', `${roomPath(roomId)}/forget`, {});
    await invite(roomId, bob);
    await bob.leave(roomId);
    const { rooms } = await bob.sync({ since });
    const { state, timeline } = rooms.leave[roomId];
    expect(state.events).toEqual([]);
    expect(timeline.events).toHaveLength(1);
    expect(timeline.events[0].content.membership).toBe('leave');
  });

  /** What each stream that goes on from a place tells of a room: the membership of each event, and how often it has the room. */
  interface Streams {
    next(): Promise<{ memberships: unknown[]; text: string }[]>;
  }

  async function streamsOf(bob: SyncUser, roomId: string): Promise<Streams> {
    let { next_batch: since } = await bob.sync();
    let { end: from } = await bob.ok('GET', '/events?timeout=0');
    const sliding = new SlidingClient(bob);
    const body = { lists: { all: { ranges: [[0, 99]], timeline_limit: 10, required_state: [['*', '*']] } } };
    await sliding.next(body);
    return {
      next: async () => {
        const synced = await bob.sync({ since });
        const streamed = await bob.ok('GET', `/events?${queryOf({ from, timeout: 0 })}`);
        const slid = await sliding.next(body);
        [since, from] = [synced.next_batch, streamed.end];
        const { state, timeline } = synced.rooms?.leave?.[roomId] ?? {
          state: { events: [] },
          timeline: { events: [] },
        };
        const { required_state = [], timeline: events = [] } = slid.rooms[roomId] ?? {};
        const answers = [
          [synced, [...state.events, ...timeline.events]],
          [streamed, streamed.chunk.filter((event: { room_id?: string }) => event.room_id === roomId)],
          [slid, [...new Map([...required_state, ...events].map((event) => [event.event_id, event])).values()]],
        ];
        return answers.map(([answer, list]) => ({
          memberships: list.map((event: { content: object }) => event.content),
          text: JSON.stringify(answer),
        }));
      },
    };
  }

  it.each(['shared', 'world_readable'])(
    'tells whoever was told that they are in it that they left, once and nothing else, where both happened between two requests: %s',
    async (visibility) => {
      const { roomId, bob } = await stay();
      await alice.setState(roomId, 'm.room.history_visibility', { history_visibility: visibility });
      const other = await bob.logIn();
      const streams = await streamsOf(other, roomId);
      await alice.send(roomId, 'SECRET');
      await bob.leave(roomId);
      await bob.ok('POST', `${roomPath(roomId)}/forget`, {});
      await alice.send(roomId, 'SECRET');
      for (const { memberships, text } of await streams.next()) {
        expect(memberships).toEqual([{ membership: 'leave' }]);
        expect(text).not.toMatch(/SECRET|said then/);
      }
      for (const { text } of await streams.next()) expect(text).not.toContain(roomId);
    },
  );

  it('is in no list of sliding sync, also where somebody else put the user out', async () => {
    const { roomId, bob } = await stay();
    await kick(roomId, bob);
    const listed = async (): Promise<number> => {
      const lists = { all: { ranges: [[0, 99]], timeline_limit: 1, required_state: [] } };
      return (await new SlidingClient(bob).next({ lists })).lists.all.count;
    };
    expect(await listed()).toBe(1);
    await bob.ok('POST', `${roomPath(roomId)}/forget`, {});
    expect(await listed()).toBe(0);
  });

  it('is not told of in a part of the event stream that ends before the user left', async () => {
    const { roomId, bob } = await stay();
    const userId = bob.userId as UserId;
    const { user, interest } = await app.get(ActiveUsers).watch(userId);
    const before = await app.get(StreamMoments).moment(undefined, () => false, user);
    await alice.send(roomId, 'SECRET');
    const between = await app.get(StreamMoments).moment(undefined, () => false, user);
    await bob.leave(roomId);
    await bob.ok('POST', `${roomPath(roomId)}/forget`, {});
    const after = await app.get(StreamMoments).moment(undefined, () => false, user);
    const requester: Requester = { userId, deviceId: 'D' as DeviceId, isAdmin: false, isGuest: false, requestId: '' };
    const plan = { direction: 'f', from: placeOf(before), to: 'END', limit: 100, isDirected: false } as const;
    const read = async (moment: StreamMoment): Promise<string> =>
      (await app.get(EventPages).read(user, { requester, plan, form: 'today' }, moment)).json;
    expect(await read(between)).not.toContain(roomId);
    expect(await read(after)).toContain(roomId);
    interest.close();
  });

  it('is told of by no page between two places, also where the user was in it at the first', async () => {
    const { roomId, bob } = await stay();
    const endOf = async (): Promise<string> => (await bob.v1('GET', '/events?from=END&timeout=0')).body.end;
    const from = await endOf();
    await bob.leave(roomId);
    const to = await endOf();
    const pages: Record<string, string>[] = [
      { from, to },
      { from: to, to: from },
      { from: to, dir: 'b' },
    ];
    const read = async (page: Record<string, string>): Promise<string> =>
      JSON.stringify((await bob.v1('GET', `/events?${queryOf({ ...page, limit: 100 })}`)).body);
    for (const page of pages) expect(await read(page)).toContain(roomId);
    await bob.ok('POST', `${roomPath(roomId)}/forget`, {});
    for (const page of pages) expect(await read(page)).not.toContain(roomId);
  });

  it('tells those who were invited that they are not any more', async () => {
    const bob = await app.register(`bob${count++}`);
    const roomId = await alice.createRoom();
    await invite(roomId, bob);
    const streams = await streamsOf(await bob.logIn(), roomId);
    await bob.leave(roomId);
    await bob.ok('POST', `${roomPath(roomId)}/forget`, {});
    for (const { memberships } of await streams.next()) expect(memberships).toEqual([{ membership: 'leave' }]);
    for (const { text } of await streams.next()) expect(text).not.toContain(roomId);
  });

  it('is told of to a client that may have it otherwise from a part of the log that is lost', async () => {
    const own = await SyncApp.start();
    try {
      const { serverName, signingKey } = TEST_AUTHOR;
      const key = { key_id: signingKey.keyId, public_key: signingKey.publicKey.toString('base64') };
      await nameLog(own.store, systemClock, serverName, key);
      const [owner, bob] = [await own.register('owner'), await own.register('bob')];
      const roomId = await owner.createRoom({ preset: 'public_chat' });
      await bob.join(roomId);
      await bob.leave(roomId);
      await bob.ok('POST', `${roomPath(roomId)}/forget`, {});
      const agreed = await own.store.head();
      await bob.setState(await bob.createRoom(), 'm.room.topic', { topic: 'lost' });
      const { next_batch: since } = await bob.sync();
      await noteRestored(own.store, systemClock, agreed);
      await own.restart();
      const { timeline } = (await bob.sync({ since })).rooms.leave[roomId];
      expect(timeline.events.map((event: { content: object }) => event.content)).toEqual([{ membership: 'leave' }]);
      expect((await bob.sync()).rooms.leave).toEqual({});
    } finally {
      await own.close();
    }
  });

  it('is told of nowhere to who knew that they were not in it', async () => {
    const { roomId, bob } = await stay();
    await bob.leave(roomId);
    const carol = await app.register(`carol${count++}`);
    const streams = [await streamsOf(await bob.logIn(), roomId), await streamsOf(await carol.logIn(), roomId)];
    await kick(roomId, bob, 'ban');
    await carol.join(roomId);
    await carol.leave(roomId);
    for (const user of [bob, carol]) await user.ok('POST', `${roomPath(roomId)}/forget`, {});
    for (const each of streams) for (const { text } of await each.next()) expect(text).not.toContain(roomId);
  });
});
