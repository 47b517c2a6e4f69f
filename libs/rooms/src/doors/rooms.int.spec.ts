import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RoomsApp, startRoomsApp, type TestUser } from '#testing/rooms-app';

let app: RoomsApp;
let alice: TestUser;
let bob: TestUser;
let carol: TestUser;

beforeAll(async () => {
  app = await startRoomsApp();
  [alice, bob, carol] = await Promise.all([app.register('alice'), app.register('bob'), app.register('carol')]);
});
afterAll(() => app.close());

const message = { msgtype: 'm.text', body: 'hello' };

async function say(user: TestUser, roomId: string): Promise<string> {
  return (await user.ok('POST', `/rooms/${roomId}/send/m.room.message`, message)).event_id;
}

describe('joining', () => {
  it('keeps what the request says beside the reason in the member event, but not what the server vouches for', async () => {
    const roomId = await alice.createRoom({ preset: 'public_chat' });
    const body = { foo: 'bar', reason: 'why not', membership: 'ban', join_authorised_via_users_server: carol.userId };
    await bob.ok('POST', `/join/${roomId}`, body);
    const content = await bob.ok('GET', `/rooms/${roomId}/state/m.room.member/${bob.userId}`);
    expect(content).toEqual({ membership: 'join', foo: 'bar', reason: 'why not' });
  });

  it('needs no body, takes a null reason for none, and refuses a reason that is no text', async () => {
    const roomId = await alice.createRoom({ preset: 'public_chat' });
    await bob.ok('POST', `/rooms/${roomId}/join`);
    await carol.ok('POST', `/rooms/${roomId}/join`, { reason: null });
    expect(await carol.ok('GET', `/rooms/${roomId}/state/m.room.member/${carol.userId}`)).toEqual({
      membership: 'join',
    });
    expect(await bob.call('POST', `/rooms/${roomId}/join`, { reason: 1 })).toMatchObject({
      status: 400,
      body: { errcode: 'M_BAD_JSON' },
    });
  });
});

describe('sending without a transaction id', () => {
  it('sends each time', async () => {
    const roomId = await alice.createRoom();
    expect(await say(alice, roomId)).not.toBe(await say(alice, roomId));
  });
});

describe('redacting', () => {
  it('does not tell an event of another room, or of before the stay, from one that nobody knows', async () => {
    const visibility = { history_visibility: 'joined' };
    const initial_state = [{ type: 'm.room.history_visibility', state_key: '', content: visibility }];
    const here = await alice.createRoom({ preset: 'public_chat', initial_state });
    const there = await alice.createRoom();
    const events = [await say(alice, there), await say(alice, here), '$nothing'];
    await bob.ok('POST', `/join/${encodeURIComponent(here)}`, {});
    for (const [i, event] of events.entries()) {
      const path = `/rooms/${here}/redact/${encodeURIComponent(event)}/${i}`;
      const answer = await bob.call('PUT', path, {});
      expect(answer).toMatchObject({ status: 400, body: { errcode: 'M_INVALID_PARAM' } });
      expect(answer.body.error).toBe('The room has no such event, or not for you');
    }
    const shown = encodeURIComponent(await say(alice, here));
    expect((await bob.call('PUT', `/rooms/${here}/redact/${shown}/3`, {})).status).toBe(403);
    // Who has the level may redact what they never saw.
    await alice.ok('PUT', `/rooms/${here}/state/m.room.power_levels`, { users: { [bob.userId]: 50 } });
    expect((await bob.call('PUT', `/rooms/${here}/redact/${encodeURIComponent(events[1]!)}/4`, {})).status).toBe(200);
  });

  it('is done without a transaction id too, each time anew', async () => {
    const room = await alice.createRoom();
    const path = `/rooms/${room}/redact/${encodeURIComponent(await say(alice, room))}`;
    const redactions = [await alice.ok('POST', path, { reason: 'wrong room' }), await alice.ok('POST', path)];
    expect(new Set(redactions.map(({ event_id: eventId }) => eventId)).size).toBe(2);
    const { content } = await alice.ok('GET', `/rooms/${room}/event/${redactions[0]!.event_id}`);
    expect(content).toMatchObject({ reason: 'wrong room' });
  });

  it('and relating to it: an event of before the stay is as if there were none', async () => {
    const visibility = { history_visibility: 'joined' };
    const initial_state = [{ type: 'm.room.history_visibility', state_key: '', content: visibility }];
    const room = await alice.createRoom({ preset: 'public_chat', initial_state });
    const relate = (user: TestUser, event_id: string): Promise<{ status: number; body: { event_id: string } }> =>
      user.call('POST', `/rooms/${room}/send/m.room.message`, {
        msgtype: 'm.text',
        body: 'x',
        'm.relates_to': { rel_type: 'm.thread', event_id },
      }) as never;
    const child = (await relate(alice, await say(alice, room))).body.event_id;
    expect((await relate(alice, child)).status).toBe(400);
    await bob.ok('POST', `/join/${encodeURIComponent(room)}`, {});
    expect((await relate(bob, child)).status).toBe(200);
  });
});

describe('the context of an event', () => {
  it('is forbidden who may not read the room, and not found who may', async () => {
    const roomId = await alice.createRoom();
    const eventId = encodeURIComponent(await say(alice, roomId));
    expect((await alice.call('GET', `/rooms/${roomId}/context/${eventId}`)).status).toBe(200);
    expect((await bob.call('GET', `/rooms/${roomId}/context/${eventId}`)).status).toBe(403);
    const nothing = encodeURIComponent('$nothing');
    expect((await alice.call('GET', `/rooms/${roomId}/context/${nothing}`)).status).toBe(404);
  });
});

describe('pages of messages', () => {
  const pageOf = (roomId: string, query: string): Promise<{ chunk: unknown[]; end?: string }> =>
    alice.ok('GET', `/rooms/${roomId}/messages?${query}`);

  it('name where to go on while there may be something: backwards until the first event, forwards until nothing came', async () => {
    const roomId = await alice.createRoom();
    await say(alice, roomId);
    const whole = await pageOf(roomId, 'dir=b&limit=100');
    expect(whole.end).toBeUndefined();
    expect((await pageOf(roomId, `dir=b&limit=${whole.chunk.length - 1}`)).end).toBeDefined();
    const { end } = await pageOf(roomId, 'dir=f&limit=100');
    expect(await pageOf(roomId, `dir=f&from=${end}`)).toEqual({ chunk: [], start: end });
    await say(alice, roomId);
    expect((await pageOf(roomId, `dir=f&from=${end}`)).chunk).toHaveLength(1);
  });
});

describe('deleting an alias', () => {
  const canonical = (roomId: string): string => `/rooms/${roomId}/state/m.room.canonical_alias`;

  async function roomWithAliases(localpart: string): Promise<{ roomId: string; main: string; other: string }> {
    const [main, other] = [`#${localpart}:a.example`, `#${localpart}2:a.example`];
    const roomId = await alice.createRoom({ room_alias_name: localpart, preset: 'public_chat' });
    await bob.ok('POST', `/rooms/${roomId}/join`);
    await bob.ok('PUT', `/directory/room/${encodeURIComponent(other)}`, { room_id: roomId });
    await alice.ok('PUT', canonical(roomId), { alias: main, alt_aliases: [other] });
    return { roomId, main, other };
  }

  it('takes it out of the canonical alias too', async () => {
    const { roomId, main, other } = await roomWithAliases('cheese');
    await alice.ok('DELETE', `/directory/room/${encodeURIComponent(main)}`);
    expect(await alice.ok('GET', canonical(roomId))).toEqual({ alt_aliases: [other] });
    await alice.ok('DELETE', `/directory/room/${encodeURIComponent(other)}`);
    expect(await alice.ok('GET', canonical(roomId))).toEqual({ alt_aliases: [] });
  });

  it('succeeds for who made it and may not change the room', async () => {
    const { roomId, main, other } = await roomWithAliases('wine');
    await bob.ok('DELETE', `/directory/room/${encodeURIComponent(other)}`);
    expect(await alice.ok('GET', canonical(roomId))).toEqual({ alias: main, alt_aliases: [other] });
    expect((await alice.call('GET', `/directory/room/${encodeURIComponent(other)}`)).status).toBe(404);
  });
});

describe('upgrading a room', () => {
  it('puts the new room in the place of the old one in the directory', async () => {
    const roomId = await alice.createRoom({ visibility: 'public' });
    const quiet = await alice.createRoom({ preset: 'public_chat' });
    const upgrade = async (old: string): Promise<string> =>
      (await alice.ok('POST', `/rooms/${old}/upgrade`, { new_version: '11' })).replacement_room;
    const [next, quietNext] = [await upgrade(roomId), await upgrade(quiet)];
    const listed = async (id: string): Promise<string> =>
      (await alice.ok('GET', `/directory/list/room/${id}`)).visibility;
    expect(await Promise.all([roomId, next, quiet, quietNext].map(listed))).toEqual([
      'private',
      'public',
      'private',
      'private',
    ]);
  });
});

describe('the public directory', () => {
  it('takes a null token for the first page', async () => {
    await alice.createRoom({ visibility: 'public' });
    const { chunk } = await alice.ok('POST', '/publicRooms', { limit: 1, since: null });
    expect(chunk).toHaveLength(1);
  });
});
