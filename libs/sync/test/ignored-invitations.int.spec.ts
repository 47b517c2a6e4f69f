import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SlidingClient, StableSlidingClient } from '#testing/sliding-client';
import { roomPath, SyncApp, type SyncUser } from '#testing/sync-app';

/** Who is invited by somebody whom they ignore is told nothing of it: what the room was to them before, it stays, at every door. */

let app: SyncApp;
let users = 0;
const person = (): Promise<SyncUser> => app.register(`person${users++}`);

beforeAll(async () => {
  app = await SyncApp.start();
});
afterAll(() => app.close());

const ignore = (who: SyncUser, ...whom: SyncUser[]): Promise<unknown> =>
  who.ok('PUT', `/user/${who.userId}/account_data/m.ignored_user_list`, {
    ignored_users: Object.fromEntries(whom.map(({ userId }) => [userId, {}])),
  });

const LIST = { range: [0, 19], required_state: { include: [{}] }, timeline_limit: 9 };
const listed = { lists: { all: LIST, invites: { ...LIST, filters: { is_invited: true } } } };
const counts = (all: number, invites = 0): object => ({ all: { count: all }, invites: { count: invites } });
const subscribed = (room: string): object => ({
  room_subscriptions: { [room]: { required_state: { include: [{}] }, timeline_limit: 9 } },
});

interface Life {
  readonly host: SyncUser;
  readonly guest: SyncUser;
  /** Of whom the guest wants to hear nothing. */
  readonly pest: SyncUser;
  readonly room: string;
}

async function begin(): Promise<Life> {
  const [host, guest, pest] = [await person(), await person(), await person()];
  const room = await host.createRoom({ preset: 'public_chat', name: 'then' });
  for (const one of [guest, pest]) await one.join(room);
  await guest.send(room, 'of the guest');
  await ignore(guest, pest);
  return { host, guest, pest, room };
}

const does = (who: SyncUser, what: string, { room, guest }: Life): Promise<unknown> =>
  who.ok('POST', `${roomPath(room)}/${what}`, { user_id: guest.userId });
const invite = (life: Life): Promise<unknown> => does(life.pest, 'invite', life);

const ENDS: Readonly<Record<string, (life: Life) => Promise<unknown>>> = {
  'was kicked': (life) => does(life.host, 'kick', life),
  'was banned and is not any more': async (life) => {
    await does(life.host, 'ban', life);
    await does(life.host, 'unban', life);
  },
  left: ({ guest, room }) => guest.leave(room),
};

/** What is told of the rooms to who comes for the first time, by each door. */
async function toldAnew({ guest, room }: Life): Promise<unknown[]> {
  const filter = JSON.stringify({ room: { include_leave: true, timeline: { limit: 9 } } });
  const archived = await guest.ok('GET', '/initialSync?archived=true&limit=9');
  const alone = await guest.ok('GET', `${roomPath(room)}/initialSync?limit=9`);
  return [
    await new StableSlidingClient(guest, `list${users++}`).next(listed),
    await new StableSlidingClient(guest, `one${users++}`).next(subscribed(room)),
    (await guest.sync({ filter })).rooms.leave,
    (await guest.sync()).rooms ?? {},
    archived.rooms.map(({ room_id, membership, state }: Record<string, unknown>) => ({ room_id, membership, state })),
    { membership: alone.membership, state: alone.state },
  ].map((answer) => ({ ...answer, pos: undefined }));
}

/** Without ages, and without the order of lists. */
const lasting = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value), (key, part: unknown) => {
    if (Array.isArray(part)) return part.map((one) => JSON.stringify(one)).toSorted();
    return key === 'age' ? undefined : part;
  });

describe.each(Object.entries(ENDS))('who %s, and is invited by somebody whom they ignore', (what, end) => {
  it('is told of the room what they were told before the invitation, over a restart too', async () => {
    const life = await begin();
    await end(life);
    const before = lasting(await toldAnew(life));
    expect(JSON.stringify(before)).toContain('of the guest');
    await invite(life);
    expect(lasting(await toldAnew(life))).toEqual(before);
    await app.restart();
    expect(lasting(await toldAnew(life))).toEqual(before);
  });

  it('goes on without news, and with the room where it was', async () => {
    const life = await begin();
    const { guest, room } = life;
    const other = await guest.createRoom();
    const clients = [new StableSlidingClient(guest, 'list'), new StableSlidingClient(guest, 'one')] as const;
    const [list, one] = clients;
    const ask = { ...listed, ...subscribed(room) };
    await list.next(listed);
    await one.next(ask);
    await end(life);
    await guest.send(other, 'later');
    expect((await list.next(listed)).rooms[room].membership).toBe('leave');
    expect((await one.next(ask)).rooms[room].membership).toBe('leave');
    const { next_batch: since } = await guest.sync();
    await invite(life);
    for (let i = 0; i < 2; i++) {
      const lists = counts(what === 'left' ? 1 : 2);
      expect(await list.next(listed)).toMatchObject({ rooms: {}, lists });
      expect(await one.next(ask)).toMatchObject({ rooms: {}, lists });
    }
    const first = { lists: { all: { ...LIST, range: [0, 0] } } };
    expect(Object.keys((await new StableSlidingClient(guest, 'first').next(first)).rooms)).toEqual([other]);
    expect((await guest.sync({ since })).rooms).toBeUndefined();
  });

  it('is told where the stay ended, once, who had not heard of that either', async () => {
    const life = await begin();
    const { guest, room } = life;
    const client = new StableSlidingClient(guest);
    await client.next(listed);
    const { next_batch: since } = await guest.sync();
    await end(life);
    await invite(life);
    const told = await client.next(listed);
    expect(told).toMatchObject({ rooms: { [room]: { membership: 'leave' } }, lists: counts(1) });
    expect(told.rooms[room]).not.toHaveProperty('stripped_state');
    expect(await client.next(listed)).toMatchObject({ rooms: {}, lists: counts(what === 'left' ? 0 : 1) });
    const { rooms, next_batch: then } = await guest.sync({ since });
    expect([Object.keys(rooms.leave), rooms.invite]).toEqual([[room], {}]);
    expect((await guest.sync({ since: then })).rooms).toBeUndefined();
  });

  it('is told of the invitation once they ignore nobody, and of the stay again where they do', async () => {
    const life = await begin();
    const { guest, pest, room } = life;
    await end(life);
    const [client, old] = [new StableSlidingClient(guest), new SlidingClient(guest, 'old')];
    const ask = { ...listed, ...subscribed(room) };
    const oldAsk = { room_subscriptions: { [room]: { required_state: [], timeline_limit: 1 } } };
    const next = async (): Promise<unknown[]> => {
      const answers = [await client.next(ask), await old.next(oldAsk)];
      return answers.map(({ rooms }) => rooms);
    };
    await next();
    await invite(life);
    expect(await next()).toEqual([{}, {}]);
    const [waiting, waitingOld] = [client.next(ask, 30_000), old.next(oldAsk, 30_000)];
    await ignore(guest);
    expect((await waiting).rooms[room]).toMatchObject({ membership: 'invite', stripped_state: expect.any(Array) });
    expect((await waitingOld).rooms[room]).toMatchObject({ invite_state: expect.any(Array) });
    expect(await client.next(ask)).toMatchObject({ rooms: {}, lists: counts(1, 1) });
    expect(Object.keys((await guest.sync()).rooms.invite)).toEqual([room]);
    await ignore(guest, pest);
    const [told, toldOld] = (await next()) as Record<string, object>[];
    expect(told![room]).toMatchObject({ membership: 'leave', initial: true, name: 'then' });
    expect(toldOld![room]).toMatchObject({ initial: true, name: 'then' });
    expect(await next()).toEqual([{}, {}]);
  });
});

it('who was invited by somebody else before is told that they are not in the room', async () => {
  const life = await begin();
  const { host, guest, room } = life;
  await does(host, 'kick', life);
  await does(host, 'invite', life);
  const client = new StableSlidingClient(guest);
  expect((await client.next(listed)).rooms[room].membership).toBe('invite');
  await invite(life);
  const told = await client.next(listed);
  expect(told).toMatchObject({ rooms: { [room]: { membership: 'leave', initial: true } }, lists: counts(1) });
  expect(await client.next(listed)).toMatchObject({ rooms: {}, lists: counts(1) });
});

describe('an invitation of which nothing was told, once it is taken back,', () => {
  const stay = expect.arrayContaining([
    expect.objectContaining({ content: expect.objectContaining({ body: 'of the guest' }) }),
  ]);

  it('is no reason to tell of the stay before it again', async () => {
    const life = await begin();
    const { host, guest, pest, room } = life;
    await does(host, 'kick', life);
    const client = new StableSlidingClient(guest);
    await client.next(listed);
    await invite(life);
    expect((await client.next(listed)).rooms).toEqual({});
    const { next_batch: since } = await guest.sync();
    await does(host, 'kick', life);
    expect((await client.next(listed)).rooms[room] ?? {}).not.toHaveProperty('initial');
    expect((await guest.sync({ since })).rooms.leave[room].timeline.events).toHaveLength(1);
    // Who was told of it and ignores who made it has the stay again.
    await ignore(guest);
    await invite(life);
    expect((await client.next(listed)).rooms[room]).toMatchObject({ membership: 'invite' });
    await ignore(guest, pest);
    expect((await client.next(listed)).rooms[room]).toMatchObject({ initial: true, timeline: stay });
    await does(host, 'kick', life);
    expect((await client.next(listed)).rooms[room] ?? {}).not.toHaveProperty('initial');
  });

  it('is one where they knocked before: with that their client let go of it', async () => {
    const life = await begin();
    const { host, guest, room } = life;
    await does(host, 'kick', life);
    await host.setState(room, 'm.room.join_rules', { join_rule: 'knock' });
    await host.setState(room, 'm.room.power_levels', { invite: 0 });
    const client = new StableSlidingClient(guest);
    await client.next(listed);
    await guest.ok('POST', `/knock/${encodeURIComponent(room)}`, {});
    expect((await client.next(listed)).rooms[room]).toMatchObject({ membership: 'knock' });
    await invite(life);
    await client.next(listed);
    await does(host, 'kick', life);
    expect((await client.next(listed)).rooms[room]).toMatchObject({ initial: true, timeline: stay });
  });
});

it('who forgot the room is told nothing of it', async () => {
  const life = await begin();
  const { guest, room } = life;
  await does(life.host, 'kick', life);
  await guest.ok('POST', `${roomPath(room)}/forget`, {});
  const before = [await new StableSlidingClient(guest, 'a').next({ ...listed, ...subscribed(room) })];
  await invite(life);
  const after = [await new StableSlidingClient(guest, 'b').next({ ...listed, ...subscribed(room) })];
  for (const told of [...before, ...after]) expect(told).toMatchObject({ rooms: {}, lists: counts(0) });
  const filter = JSON.stringify({ room: { include_leave: true } });
  expect((await guest.sync({ filter })).rooms).toBeUndefined();
  expect((await guest.ok('GET', '/initialSync?archived=true')).rooms).toEqual([]);
  await ignore(guest);
  expect(Object.keys((await guest.sync()).rooms.invite)).toEqual([room]);
});

it('who knocks, and is let in by somebody whom they ignore, goes on knocking as far as they know', async () => {
  const [host, guest, pest] = [await person(), await person(), await person()];
  const room = await host.createRoom({
    initial_state: [{ type: 'm.room.join_rules', content: { join_rule: 'knock' } }],
    invite: [pest.userId],
  });
  await pest.join(room);
  await ignore(guest, pest);
  await guest.ok('POST', `/knock/${encodeURIComponent(room)}`, {});
  const client = new StableSlidingClient(guest);
  await client.next(listed);
  await invite({ host, guest, pest, room });
  expect(await client.next(listed)).toMatchObject({ rooms: {}, lists: counts(1) });
  const anew = await new StableSlidingClient(guest, 'anew').next(listed);
  expect(anew).toMatchObject({ rooms: { [room]: { membership: 'knock' } }, lists: counts(1) });
  expect(Object.keys((await guest.sync()).rooms.knock)).toEqual([room]);
});
