import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RoomsApp, startRoomsApp, type TestUser } from '#testing/rooms-app';

let app: RoomsApp;
let alice: TestUser;
let bob: TestUser;
let roomId: string;
let eventId: string;

beforeAll(async () => {
  app = await startRoomsApp();
  alice = await app.register('alice');
  bob = await app.register('bob');
  roomId = await alice.createRoom();
  eventId = (await alice.ok('PUT', `/rooms/${roomId}/send/m.room.message/0`, { body: 'hi' })).event_id;
});
afterAll(() => app.close());

type Method = 'GET' | 'POST' | 'PUT';
type Expected = readonly [status: number, errcode: string];

const NOT_FOUND: Expected = [404, 'M_NOT_FOUND'];
const FORBIDDEN: Expected = [403, 'M_FORBIDDEN'];

/** Each door to a room: what it needs in the body, and how it refuses strangers, and anybody for a room that is not there. */
const DOORS: readonly (readonly [Method, string, object | undefined, stranger: Expected, nowhere: Expected])[] = [
  ['PUT', 'send/m.room.message/1', {}, FORBIDDEN, FORBIDDEN],
  ['POST', 'send/m.room.message', {}, FORBIDDEN, FORBIDDEN],
  ['PUT', 'state/m.room.name', {}, FORBIDDEN, FORBIDDEN],
  ['PUT', 'state/m.room.name/', {}, FORBIDDEN, FORBIDDEN],
  ['PUT', 'state/m.odd/key', {}, FORBIDDEN, FORBIDDEN],
  ['PUT', 'redact/EVENT/1', {}, FORBIDDEN, FORBIDDEN],
  ['POST', 'invite', { user_id: '@carol:a.example' }, FORBIDDEN, FORBIDDEN],
  ['POST', 'kick', { user_id: '@alice:a.example' }, FORBIDDEN, FORBIDDEN],
  ['POST', 'ban', { user_id: '@alice:a.example' }, FORBIDDEN, FORBIDDEN],
  ['POST', 'unban', { user_id: '@alice:a.example' }, FORBIDDEN, FORBIDDEN],
  ['POST', 'join', undefined, FORBIDDEN, FORBIDDEN],
  ['POST', 'leave', undefined, FORBIDDEN, FORBIDDEN],
  ['POST', 'upgrade', { new_version: '11' }, [404, 'M_NOT_FOUND'], [404, 'M_NOT_FOUND']],
  ['GET', 'state', undefined, FORBIDDEN, FORBIDDEN],
  ['GET', 'state/m.room.create', undefined, FORBIDDEN, FORBIDDEN],
  ['GET', 'state/m.room.member/@alice:a.example', undefined, FORBIDDEN, FORBIDDEN],
  ['GET', 'members', undefined, FORBIDDEN, FORBIDDEN],
  ['GET', 'joined_members', undefined, FORBIDDEN, FORBIDDEN],
  ['GET', 'messages?dir=b', undefined, FORBIDDEN, FORBIDDEN],
  ['GET', 'context/EVENT', undefined, FORBIDDEN, FORBIDDEN],
  ['GET', 'event/EVENT', undefined, NOT_FOUND, NOT_FOUND],
  ['GET', 'aliases', undefined, FORBIDDEN, FORBIDDEN],
];

describe.each(DOORS)('%s /rooms/{roomId}/%s', (method, path, body, stranger, nowhere) => {
  const at = (room: string, event = eventId): string =>
    `/rooms/${encodeURIComponent(room)}/${path.replace('EVENT', encodeURIComponent(event))}`;

  it('is closed to strangers', async () => {
    const answer = await bob.call(method, at(roomId), body);
    expect([answer.status, answer.body.errcode]).toEqual(stranger);
  });

  it('leads nowhere where there is no such room, and says so of what is no room', async () => {
    const answer = await alice.call(method, at('!none:a.example', '$none'), body);
    expect([answer.status, answer.body.errcode]).toEqual(nowhere);
    const wrong = await alice.call(method, at('none'), body);
    expect([wrong.status, wrong.body.errcode]).toEqual([400, 'M_INVALID_PARAM']);
  });

  it('tells strangers nothing by which they could know that there is the room', async () => {
    const [here, elsewhere] = [
      await bob.call(method, at(roomId), body),
      await bob.call(method, at('!none:a.example'), body),
    ];
    expect(here).toEqual(elsewhere);
    const event = '$none';
    expect(await bob.call(method, at(roomId, event), body)).toEqual(elsewhere);
  });

  it('needs a token', async () => {
    const answer = await app.call(method, `/_matrix/client/v3${at(roomId)}`, { body });
    expect([answer.status, answer.body.errcode]).toEqual([401, 'M_MISSING_TOKEN']);
  });
});

const WRONG: readonly (readonly [Method, string, object | undefined, Expected])[] = [
  ['POST', 'createRoom', { preset: 'odd' }, [400, 'M_BAD_JSON']],
  ['POST', 'createRoom', { invite: ['bob'] }, [400, 'M_INVALID_PARAM']],
  ['POST', 'createRoom', { initial_state: [{ content: {} }] }, [400, 'M_MISSING_PARAM']],
  ['POST', 'createRoom', { initial_state: [{ type: 'm.odd', content: 1 }] }, [400, 'M_BAD_JSON']],
  ['POST', 'createRoom', { room_version: 11 }, [400, 'M_BAD_JSON']],
  ['POST', 'createRoom', { room_version: 'odd' }, [400, 'M_UNSUPPORTED_ROOM_VERSION']],
  ['POST', 'createRoom', { invite_3pid: [{}] }, [400, 'M_MISSING_PARAM']],
  ['PUT', 'rooms/ROOM/state/m.room.create', {}, [400, 'M_BAD_STATE']],
  ['PUT', 'rooms/ROOM/send/m.room.create/1', {}, [400, 'M_BAD_STATE']],
  ['PUT', 'rooms/ROOM/state/m.room.member', { membership: 'leave' }, [400, 'M_INVALID_PARAM']],
  ['PUT', 'rooms/ROOM/state/m.room.member/nobody', { membership: 'leave' }, [400, 'M_INVALID_PARAM']],
  ['PUT', 'rooms/ROOM/state/m.room.member/@nobody:a.example', { membership: 'leave' }, FORBIDDEN],
  ['PUT', 'rooms/ROOM/state/m.room.member/@alice:a.example', { membership: 'lurk' }, [400, 'M_BAD_JSON']],
  ['PUT', 'rooms/ROOM/state/m.room.join_rules', { algorithm: 'x', ciphertext: 'y' }, [400, 'M_BAD_JSON']],
  ['PUT', 'rooms/ROOM/state/m.room.power_levels', { users: { '@alice:a.example': 100 } }, [400, 'M_INVALID_PARAM']],
  ['POST', 'rooms/ROOM/invite', {}, [400, 'M_MISSING_PARAM']],
  ['POST', 'rooms/ROOM/invite', { user_id: 'bob' }, [400, 'M_INVALID_PARAM']],
  ['POST', 'rooms/ROOM/invite', { medium: 'email', address: 'a@b', id_server: 'c' }, [400, 'M_MISSING_PARAM']],
  ['POST', 'rooms/ROOM/kick', {}, [400, 'M_MISSING_PARAM']],
  ['POST', 'rooms/ROOM/ban', { user_id: 1 }, [400, 'M_BAD_JSON']],
  ['POST', 'rooms/ROOM/forget', {}, [400, 'M_UNKNOWN']],
  ['POST', 'join/%23none:a.example', {}, NOT_FOUND],
  ['POST', 'knock/%23none:a.example', {}, NOT_FOUND],
  ['POST', 'rooms/ROOM/upgrade', {}, [400, 'M_MISSING_PARAM']],
  ['PUT', 'rooms/ROOM/send/m.room.redaction/2', {}, [400, 'M_MISSING_PARAM']],
  ['PUT', 'rooms/ROOM/redact/nothing/3', {}, [400, 'M_INVALID_PARAM']],
  ['GET', 'rooms/ROOM/messages', undefined, [400, 'M_MISSING_PARAM']],
  ['GET', 'rooms/ROOM/messages?dir=x', undefined, [400, 'M_INVALID_PARAM']],
  ['GET', 'rooms/ROOM/messages?dir=b&from=x', undefined, [400, 'M_INVALID_PARAM']],
  ['GET', 'rooms/ROOM/messages?dir=b&limit=x', undefined, [400, 'M_INVALID_PARAM']],
  ['GET', 'rooms/ROOM/messages?dir=b&filter=x', undefined, [400, 'M_NOT_JSON']],
  ['GET', 'rooms/ROOM/messages?dir=b&filter=[]', undefined, [400, 'M_BAD_JSON']],
  ['GET', 'rooms/ROOM/state/m.odd', undefined, NOT_FOUND],
  ['GET', 'rooms/ROOM/state/m.room.create?format=odd', undefined, [400, 'M_INVALID_PARAM']],
  ['GET', 'rooms/ROOM/members?at=x', undefined, [400, 'M_INVALID_PARAM']],
];

it.each(WRONG)('%s /%s of %j is refused', async (method, path, body, expected) => {
  const answer = await alice.call(method, `/${path.replace('ROOM', roomId)}`, body);
  expect([answer.status, answer.body.errcode]).toEqual(expected);
});

describe('what a request names', () => {
  it('may be written with escapes, and hold slashes', async () => {
    const old = await alice.createRoom({ room_version: '3' });
    // Event ids of version 3 may hold slashes: look for one that does.
    let id = '';
    for (let i = 0; !id.includes('/'); i++) {
      id = (await alice.ok('PUT', `/rooms/${old}/send/m.room.message/e${i}`, { body: `${i}` })).event_id;
    }
    const at = `/rooms/${encodeURIComponent(old)}`;
    expect((await alice.ok('GET', `${at}/event/${encodeURIComponent(id)}`)).event_id).toBe(id);
    await alice.ok('PUT', `${at}/redact/${encodeURIComponent(id)}/r`, {});
    expect((await alice.ok('GET', `${at}/event/${encodeURIComponent(id)}`)).content).toEqual({});
    const key = 'a/b c%/ü';
    await alice.ok('PUT', `${at}/state/m.odd/${encodeURIComponent(key)}`, { a: 1 });
    const event = await alice.ok('GET', `${at}/state/m.odd/${encodeURIComponent(key)}?format=event`);
    expect([event.state_key, event.content]).toEqual([key, { a: 1 }]);
  });

  it('is the empty state key with and without a slash at the end', async () => {
    for (const [put, get] of [
      ['', '/'],
      ['/', ''],
    ] as const) {
      await alice.ok('PUT', `/rooms/${roomId}/state/m.room.topic${put}`, { topic: `by ${put}` });
      expect(await alice.ok('GET', `/rooms/${roomId}/state/m.room.topic${get}`)).toEqual({ topic: `by ${put}` });
    }
  });

  it('takes null for what is not there', async () => {
    const nulls = { name: null, topic: null, room_alias_name: null, invite: null, invite_3pid: null, preset: null };
    const room = await alice.createRoom({ ...nulls, initial_state: [{ type: 'm.odd', state_key: null, content: {} }] });
    const state: { type: string }[] = await alice.ok('GET', `/rooms/${room}/state`);
    expect(state.map(({ type }) => type)).not.toContain('m.room.name');
    expect(state.map(({ type }) => type)).toContain('m.odd');
  });
});
