import 'reflect-metadata';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { JsonObject } from '#kernel/json';
import { FakeService } from '#testing/fake-service';
import { writeRegistration } from '#testing/registration-file';
import { WholeServer } from '../test/whole-server.js';

const V3 = '/_matrix/client/v3';
const TOKEN = 'token-of-the-service';

let server: WholeServer;
let service: FakeService;
let alice: { userId: string; token: string };
let host: string;

beforeAll(async () => {
  service = await FakeService.start();
  server = await WholeServer.start({
    ANNALS_APPSERVICES: writeRegistration({
      url: service.url,
      protocols: ['net'],
      receive_ephemeral: true,
      'org.matrix.msc3202': true,
    }),
  });
  alice = await server.register('alice');
  host = alice.userId.slice(alice.userId.indexOf(':') + 1);
});
afterAll(async () => {
  await server.close();
  await service.close();
});
beforeEach(() => {
  service.answer = () => [200, {}];
});

async function ask(method: string, path: string, body?: object, token = TOKEN): Promise<JsonObject> {
  const { status, text } = await server.request(method, path, { token, body: body && JSON.stringify(body) });
  return { status, ...(JSON.parse(text) as JsonObject) };
}
const idOf = (name: string): string => `@_bridge_${name}:${host}`;
const as = (name: string, path: string): string => `${path}${path.includes('?') ? '&' : '?'}user_id=${idOf(name)}`;
const ghost = (name: string): Promise<JsonObject> =>
  ask('POST', `${V3}/register`, { type: 'm.login.application_service', username: `_bridge_${name}` });
async function makeRoom(body: object = {}): Promise<string> {
  return (await ask('POST', `${V3}/createRoom`, { preset: 'public_chat', ...body }, alice.token))['room_id'] as string;
}
async function say(roomId: string, text: string): Promise<string> {
  const content = { msgtype: 'm.text', body: text };
  return (await ask('POST', `${V3}/rooms/${roomId}/send/m.room.message`, content, alice.token))['event_id'] as string;
}
const got = (eventId: string): Promise<JsonObject> =>
  service.until(() => service.events.find((event) => event['event_id'] === eventId));

describe('an application service', () => {
  it('hears of rooms in which its users are, from when they join up to when they leave', async () => {
    const roomId = await makeRoom();
    const before = await say(roomId, 'before');
    await ghost('joiner');
    await ask('POST', as('joiner', `${V3}/join/${roomId}`), {});
    const during = await say(roomId, 'during');
    expect(await got(during)).toMatchObject({
      type: 'm.room.message',
      room_id: roomId,
      sender: alice.userId,
      content: { body: 'during' },
      unsigned: { age: expect.any(Number) },
    });
    await ask('POST', as('joiner', `${V3}/rooms/${roomId}/leave`), {});
    const after = await say(roomId, 'after');
    // Something that it does hear of comes behind it.
    await ask('POST', as('joiner', `${V3}/join/${roomId}`), {});
    await got(await say(roomId, 'again'));
    const heard = service.events.filter((event) => event['room_id'] === roomId);
    expect(heard.map(({ event_id: id }) => id)).not.toContain(before);
    expect(heard.map(({ event_id: id }) => id)).not.toContain(after);
    const memberships = heard.filter(({ state_key: key }) => key === idOf('joiner'));
    expect(memberships.map(({ content }) => (content as JsonObject)['membership'])).toEqual(['join', 'leave', 'join']);
    expect(memberships[1]).toMatchObject({ unsigned: { prev_content: { membership: 'join' } } });
  });

  it('is told no more in a long poll as a user whose account has been closed meanwhile', async () => {
    const roomId = await makeRoom();
    await ghost('closing');
    await ask('POST', as('closing', `${V3}/join/${roomId}`), {});
    const { next_batch: since } = await ask('GET', as('closing', `${V3}/sync`));
    const poll = ask('GET', as('closing', `${V3}/sync?timeout=20000&since=${String(since)}`));
    await ask('POST', as('closing', `${V3}/account/deactivate`), {});
    await say(roomId, 'after that');
    expect(await poll).toMatchObject({ status: 403, errcode: 'M_USER_DEACTIVATED' });
  });

  it('hears of an invitation of its users, with what they may know of the room', async () => {
    const roomId = await makeRoom({ name: 'A room' });
    await ghost('guest');
    await ask('POST', `${V3}/rooms/${roomId}/invite`, { user_id: idOf('guest') }, alice.token);
    const invite = await service.until(() =>
      service.events.find(({ room_id: room, state_key: key }) => room === roomId && key === idOf('guest')),
    );
    expect(invite).toMatchObject({
      content: { membership: 'invite' },
      unsigned: { invite_room_state: expect.arrayContaining([expect.objectContaining({ type: 'm.room.name' })]) },
    });
  });

  it('hears of rooms that one of its aliases points to', async () => {
    const roomId = await makeRoom();
    const alias = encodeURIComponent(`#_bridge_room:${host}`);
    expect(await ask('PUT', `${V3}/directory/room/${alias}`, { room_id: roomId })).toMatchObject({ status: 200 });
    expect(await got(await say(roomId, 'by its alias'))).toMatchObject({ content: { body: 'by its alias' } });
  });

  it('makes and deletes aliases in its namespaces alone, and nobody else does', async () => {
    const roomId = await makeRoom();
    const mine = `${V3}/directory/room/${encodeURIComponent(`#_bridge_mine:${host}`)}`;
    const other = `${V3}/directory/room/${encodeURIComponent(`#other:${host}`)}`;
    const exclusive = { status: 400, errcode: 'M_EXCLUSIVE' };
    expect(await ask('PUT', mine, { room_id: roomId }, alice.token)).toMatchObject(exclusive);
    expect(await ask('PUT', other, { room_id: roomId })).toMatchObject(exclusive);
    expect(await ask('PUT', mine, { room_id: roomId })).toMatchObject({ status: 200 });
    expect(await ask('DELETE', mine, undefined, alice.token)).toMatchObject(exclusive);
    expect(await ask('DELETE', mine)).toMatchObject({ status: 200 });
    const created = await ask('POST', `${V3}/createRoom`, { room_alias_name: '_bridge_new' }, alice.token);
    expect(created).toMatchObject(exclusive);
  });

  it('says of its events when they were sent, and nobody else does', async () => {
    const roomId = await makeRoom();
    await ghost('timely');
    await ask('POST', as('timely', `${V3}/join/${roomId}`), {});
    const message = { msgtype: 'm.text', body: 'of then' };
    const path = (rest: string): string => `${V3}/rooms/${roomId}/${rest}`;
    const sent = await ask('PUT', as('timely', path('send/m.room.message/one?ts=12345')), message);
    const read = (id: unknown): Promise<JsonObject> => ask('GET', path(`event/${String(id)}`), undefined, alice.token);
    expect(await read(sent['event_id'])).toMatchObject({ origin_server_ts: 12_345 });
    const state = await ask('PUT', as('timely', path(`state/m.room.member/${idOf('timely')}?ts=23456`)), {
      membership: 'join',
      displayname: 'Timely',
    });
    expect(await read(state['event_id'])).toMatchObject({ origin_server_ts: 23_456 });
    const others = await ask('PUT', path('send/m.room.message/two?ts=12345'), message, alice.token);
    expect(await read(others['event_id'])).not.toMatchObject({ origin_server_ts: 12_345 });
    expect(await ask('PUT', as('timely', path('send/m.room.message/three?ts=-1')), message)).toMatchObject({
      status: 400,
      errcode: 'M_INVALID_PARAM',
    });
  });

  it('says by the API of 2015, too, when its events were sent', async () => {
    const roomId = await makeRoom();
    await ghost('timeless');
    const path = (rest: string): string => as('timeless', `/_matrix/client/api/v1/rooms/${roomId}/${rest}`);
    const member = `state/m.room.member/${idOf('timeless')}`;
    expect(await ask('PUT', path(`${member}?ts=11`), { membership: 'join' })).toMatchObject({ status: 200 });
    const message = { msgtype: 'm.text', body: 'of then' };
    const sent = [
      await ask('POST', path('send/m.room.message?ts=12'), message),
      await ask('PUT', path('send/m.room.message/one?ts=13'), message),
      await ask('POST', as('timeless', `${V3}/rooms/${roomId}/send/m.room.message?ts=14`), message),
    ];
    const times = sent.map(async ({ event_id: id }) => {
      const read = await ask('GET', `${V3}/rooms/${roomId}/event/${String(id)}`, undefined, alice.token);
      return read['origin_server_ts'];
    });
    expect(await Promise.all(times)).toEqual([12, 13, 14]);
    const state = await ask(
      'GET',
      `${V3}/rooms/${roomId}/state/m.room.member/${idOf('timeless')}?format=event`,
      undefined,
      alice.token,
    );
    expect(state).toMatchObject({ origin_server_ts: 11 });
    const wrong = await ask('PUT', path('send/m.room.message/two?ts=-1'), message);
    expect(wrong).toMatchObject({ status: 400, errcode: 'M_INVALID_PARAM' });
  });

  it('is sent the same transaction until it takes it, and then the next, with nothing left out', async () => {
    const roomId = await makeRoom();
    await ghost('steady');
    await ask('POST', as('steady', `${V3}/join/${roomId}`), {});
    await got(await say(roomId, 'first'));
    service.answer = () => [500, {}];
    const refused = await say(roomId, 'refused');
    await got(refused);
    const later: string[] = [];
    for (let i = 0; i < 5; i++) later.push(await say(roomId, `later ${i}`));
    service.answer = () => [200, {}];
    for (const id of later) await got(id);
    const ids = service.transactions.map(({ id }) => Number(id));
    expect(ids).toEqual(ids.toSorted((a, b) => a - b));
    expect(new Set(service.transactions.map(({ id, text }) => `${id} ${text}`)).size).toBe(new Set(ids).size);
    const once = new Map(service.transactions.map(({ id, body }) => [id, body['events'] as JsonObject[]]));
    const told = [...once.values()].flat().map(({ event_id: id }) => id);
    expect(told.filter((id) => id === refused || later.includes(String(id)))).toEqual([refused, ...later]);
  });

  it('hears after it was away what it would have heard, though its user has left since, and nothing else', async () => {
    const roomId = await makeRoom();
    await ghost('away');
    await ask('POST', as('away', `${V3}/join/${roomId}`), {});
    await got(await say(roomId, 'before'));
    service.answer = () => [503, {}];
    await got(await say(roomId, 'refused'));
    const during: string[] = [];
    for (let i = 0; i < 3; i++) during.push(await say(roomId, `during ${i}`));
    await ask('POST', as('away', `${V3}/rooms/${roomId}/leave`), {});
    const after = await say(roomId, 'after');
    service.answer = () => [200, {}];
    const other = await makeRoom();
    await ask('POST', as('away', `${V3}/join/${other}`), {});
    await got(await say(other, 'behind'));
    const told = service.events.map(({ event_id: id }) => id);
    for (const id of during) expect(told).toContain(id);
    expect(told).not.toContain(after);
  });

  it('is shown the token in the header alone, and on paths of drafts in the query too', async () => {
    expect(service.calls.every(({ authorization }) => authorization === 'Bearer token-of-the-server')).toBe(true);
    expect(service.calls.some(({ path }) => path.includes('access_token'))).toBe(false);
    const roomId = await makeRoom();
    await ghost('old');
    service.answer = ({ path }) => (path.startsWith('/_matrix/') ? [404, { errcode: 'M_UNRECOGNIZED' }] : [200, {}]);
    await ask('POST', as('old', `${V3}/join/${roomId}`), {});
    const call = await service.until(() => service.calls.find(({ path }) => path.startsWith('/transactions/')));
    expect(call.path).toMatch(/^\/transactions\/\d+\?access_token=token-of-the-server$/);
  });
});

describe('the rooms that a service shares with somebody', () => {
  it('are those of its sender, for the query names the other', async () => {
    const roomId = await makeRoom();
    await ask('POST', `${V3}/join/${roomId}`, {});
    const answer = await ask('GET', `/_matrix/client/v1/mutual_rooms?user_id=${encodeURIComponent(alice.userId)}`);
    expect(answer).toMatchObject({ status: 200, joined: expect.arrayContaining([roomId]) });
    await ghost('mutual');
    expect(await ask('GET', as('mutual', '/_matrix/client/v1/mutual_rooms'))).toMatchObject({
      status: 200,
      joined: [],
    });
  });
});

describe('what passes', () => {
  const passed = (key: string, look: (event: JsonObject) => boolean): JsonObject | undefined =>
    service.transactions.flatMap(({ body }) => (body[key] ?? []) as JsonObject[]).find(look);
  const inRoom = (name: string): Promise<string> =>
    makeRoom().then(async (roomId) => {
      await ghost(name);
      await ask('POST', as(name, `${V3}/join/${roomId}`), {});
      return roomId;
    });

  it('is told of rooms that the service hears of: who types there, and up to where it was read', async () => {
    const roomId = await inRoom('reader');
    const other = await makeRoom();
    for (const each of [other, roomId]) {
      await ask('PUT', `${V3}/rooms/${each}/typing/${alice.userId}`, { typing: true, timeout: 9_000 }, alice.token);
      const eventId = await say(each, 'read this');
      await ask('POST', `${V3}/rooms/${each}/receipt/m.read/${eventId}`, {}, alice.token);
      await ask('POST', `${V3}/rooms/${each}/receipt/m.read.private/${eventId}`, {}, alice.token);
    }
    for (const key of ['ephemeral', 'de.sorunome.msc2409.ephemeral']) {
      const of = (type: string) => (event: JsonObject) => event['type'] === type && event['room_id'] === roomId;
      const typing = await service.until(() => passed(key, of('m.typing')));
      expect(typing).toEqual({ type: 'm.typing', room_id: roomId, content: { user_ids: [alice.userId] } });
      const receipt = await service.until(() => passed(key, of('m.receipt')));
      const [read] = Object.values(receipt['content'] as JsonObject);
      expect(read).toEqual({ 'm.read': { [alice.userId]: { ts: expect.any(Number) } } });
      expect(passed(key, ({ room_id: room }) => room === other)).toBeUndefined();
      expect(passed(key, ({ content }) => JSON.stringify(content).includes('m.read.private'))).toBeUndefined();
    }
  });

  it('is told of what its own users read for themselves', async () => {
    const roomId = await inRoom('private');
    const eventId = await say(roomId, 'read this');
    await ask('POST', as('private', `${V3}/rooms/${roomId}/receipt/m.read.private/${eventId}`), {});
    await service.until(() =>
      passed('ephemeral', ({ content }) => JSON.stringify(content).includes(`"m.read.private":{"${idOf('private')}"`)),
    );
  });

  it('is told of who is there, where they share a room with it', async () => {
    await inRoom('watcher');
    const status = { presence: 'unavailable', status_msg: 'away for the service' };
    await ask('PUT', `${V3}/presence/${alice.userId}/status`, status, alice.token);
    const presence = await service.until(() =>
      passed('ephemeral', ({ content }) => (content as JsonObject)['status_msg'] === 'away for the service'),
    );
    expect(presence).toMatchObject({ type: 'm.presence', sender: alice.userId, content: { presence: 'unavailable' } });
  });

  it('is sent what is for devices of its users', async () => {
    await ghost('device');
    const made = await ask('PUT', as('device', `${V3}/devices/HERE`), {});
    expect(made).toMatchObject({ status: 201 });
    const messages = { [idOf('device')]: { '*': { secret: 1 } }, [alice.userId]: { '*': { secret: 2 } } };
    await ask('PUT', `${V3}/sendToDevice/m.test/one`, { messages }, alice.token);
    for (const key of ['to_device', 'de.sorunome.msc2409.to_device']) {
      const message = await service.until(() => passed(key, ({ to_device_id: device }) => device === 'HERE'));
      expect(message).toEqual({
        type: 'm.test',
        sender: alice.userId,
        content: { secret: 1 },
        to_user_id: idOf('device'),
        to_device_id: 'HERE',
      });
      expect(passed(key, ({ to_user_id: to }) => to === alice.userId)).toBeUndefined();
    }
  });
});

describe('what a service has taken for devices of its users', () => {
  it('waits for them no more', async () => {
    await ghost('collector');
    await ask('PUT', as('collector', `${V3}/devices/HERE`), {});
    const messages = { [idOf('collector')]: { HERE: { secret: 1 } } };
    await ask('PUT', `${V3}/sendToDevice/m.test/collected`, { messages }, alice.token);
    const waiting = async (): Promise<unknown> => {
      const { to_device: waits } = await ask('GET', as('collector', `${V3}/sync?device_id=HERE&timeout=0`));
      return ((waits as JsonObject | undefined)?.['events'] as unknown[] | undefined)?.length ?? 0;
    };
    await expect.poll(waiting).toBe(0);
    expect(JSON.stringify(service.transactions.map(({ body }) => body['to_device']))).toContain(idOf('collector'));
  });
});

describe('what a service has to know to encrypt', () => {
  const LISTS = ['device_lists', 'org.matrix.msc3202.device_lists'];
  const COUNTS = [
    'device_one_time_keys_count',
    'org.matrix.msc3202.device_one_time_keys_count',
    'org.matrix.msc3202.device_one_time_key_counts',
  ];
  const FALLBACK = ['device_unused_fallback_key_types', 'org.matrix.msc3202.device_unused_fallback_key_types'];
  type Lists = { readonly changed: string[]; readonly left: string[] };
  const untilListed = (kind: keyof Lists, userId: string, after: number): Promise<unknown> =>
    service.until(() =>
      service.transactions
        .slice(after)
        .some(({ body }) => LISTS.every((key) => (body[key] as unknown as Lists | undefined)?.[kind].includes(userId))),
    );
  const now = (): number => service.transactions.length;

  it('is whose devices changed, and whose are no business of it any more', async () => {
    const carol = await server.register('carol');
    const roomId = (await ask('POST', `${V3}/createRoom`, { preset: 'public_chat' }, carol.token))['room_id'] as string;
    await ghost('crypto');
    let before = now();
    await ask('POST', as('crypto', `${V3}/join/${roomId}`), {});
    await untilListed('changed', carol.userId, before);
    before = now();
    const { device_id: device } = await ask('GET', `${V3}/account/whoami`, undefined, carol.token);
    const keys = {
      user_id: carol.userId,
      device_id: device,
      algorithms: ['m.megolm.v1.aes-sha2'],
      keys: { [`ed25519:${String(device)}`]: 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' },
      signatures: {},
    };
    expect(await ask('POST', `${V3}/keys/upload`, { device_keys: keys }, carol.token)).toMatchObject({ status: 200 });
    await untilListed('changed', carol.userId, before);
    before = now();
    await ask('POST', `${V3}/rooms/${roomId}/leave`, {}, carol.token);
    await untilListed('left', carol.userId, before);
  });

  it('is how many keys its own devices have', async () => {
    await ghost('keys');
    await ask('PUT', as('keys', `${V3}/devices/KEYS`), {});
    const signatures = { [idOf('keys')]: { 'ed25519:KEYS': 'A'.repeat(86) } };
    const one = { key: 'A'.repeat(43), signatures };
    const upload = {
      one_time_keys: { 'signed_curve25519:A': one, 'signed_curve25519:B': one },
      fallback_keys: { 'signed_curve25519:F': { ...one, fallback: true } },
    };
    expect(await ask('POST', as('keys', `${V3}/keys/upload`), upload)).toMatchObject({
      status: 400,
      errcode: 'M_UNKNOWN_DEVICE',
    });
    const answer = await ask('POST', as('keys', `${V3}/keys/upload?device_id=KEYS`), upload);
    expect(answer).toMatchObject({ status: 200, one_time_key_counts: { signed_curve25519: 2 } });
    const all = (keys: readonly string[], value: unknown): Promise<unknown> =>
      service.until(() =>
        service.transactions.some(({ body }) =>
          keys.every((key) => {
            const told = (body[key] as JsonObject | undefined)?.[idOf('keys')] as JsonObject | undefined;
            return JSON.stringify(told?.['KEYS']) === JSON.stringify(value);
          }),
        ),
      );
    await all(COUNTS, { signed_curve25519: 2 });
    await all(FALLBACK, ['signed_curve25519']);
    const claim = { one_time_keys: { [idOf('keys')]: { KEYS: 'signed_curve25519' } } };
    await ask('POST', `${V3}/keys/claim`, claim, alice.token);
    await all(COUNTS, { signed_curve25519: 1 });
  });
});

describe('users and aliases of a service that are not there', () => {
  /** Answers what is asked for by making it, as a service does. */
  const makes = (kind: string, make: (id: string) => Promise<unknown>): void => {
    service.answer = async ({ path }) => {
      const id = new RegExp(`^/_matrix/app/v1/${kind}/([^?]+)$`).exec(path)?.[1];
      if (id === undefined) return [200, {}];
      await make(decodeURIComponent(id));
      return [200, {}];
    };
  };

  it('are made by the service before somebody is invited, and asked for once', async () => {
    makes('users', () => ghost('wanted'));
    const roomId = await makeRoom();
    const invite = { user_id: idOf('wanted') };
    expect(await ask('POST', `${V3}/rooms/${roomId}/invite`, invite, alice.token)).toMatchObject({ status: 200 });
    expect(await ask('GET', `${V3}/profile/${idOf('wanted')}`)).toMatchObject({ status: 200 });
    const path = `/_matrix/app/v1/users/${encodeURIComponent(idOf('wanted'))}`;
    expect(service.calls.filter((call) => call.path === path)).toHaveLength(1);
  });

  it('are made for who looks at a profile', async () => {
    makes('users', () => ghost('shown'));
    expect(await ask('GET', `${V3}/profile/${idOf('shown')}`)).toMatchObject({ status: 200 });
    service.answer = () => [404, { errcode: 'BRIDGE_NOT_FOUND' }];
    expect(await ask('GET', `${V3}/profile/${idOf('nobody')}`)).toMatchObject({ status: 404 });
    expect(await ask('GET', `${V3}/profile/@nobody:${host}`)).toMatchObject({ status: 404 });
    expect(service.calls.some(({ path }) => path.includes('%40nobody'))).toBe(false);
  });

  it('are made for who joins by an alias', async () => {
    const roomId = await makeRoom();
    makes('rooms', (alias) => ask('PUT', `${V3}/directory/room/${encodeURIComponent(alias)}`, { room_id: roomId }));
    const alias = encodeURIComponent(`#_bridge_new:${host}`);
    expect(await ask('POST', `${V3}/join/${alias}`, {}, alice.token)).toMatchObject({ status: 200, room_id: roomId });
    service.answer = () => [404, {}];
    const other = encodeURIComponent(`#_bridge_other:${host}`);
    expect(await ask('GET', `${V3}/directory/room/${other}`, undefined, alice.token)).toMatchObject({
      status: 404,
      errcode: 'M_NOT_FOUND',
    });
  });
});

describe('a ping', () => {
  const ping = (id: string, token = TOKEN): Promise<JsonObject> =>
    ask('POST', `/_matrix/client/v1/appservice/${id}/ping`, { transaction_id: 'meow' }, token);

  it('reaches the service with the token of the server', async () => {
    expect(await ping('bridge')).toMatchObject({ status: 200, duration_ms: expect.any(Number) });
    expect(service.calls.findLast(({ path }) => path === '/_matrix/app/v1/ping')).toEqual({
      method: 'POST',
      path: '/_matrix/app/v1/ping',
      authorization: 'Bearer token-of-the-server',
      text: '{"transaction_id":"meow"}',
    });
  });

  it('tells what the service answers', async () => {
    service.answer = ({ path }) => (path.endsWith('/ping') ? [403, { errcode: 'M_FORBIDDEN' }] : [200, {}]);
    expect(await ask('POST', '/_matrix/client/v1/appservice/bridge/ping', {})).toEqual({
      errcode: 'M_BAD_STATUS',
      error: 'The application service answered 403',
      status: 403,
      body: '{"errcode":"M_FORBIDDEN"}',
    });
  });

  it('is for the service itself alone', async () => {
    expect(await ping('other')).toMatchObject({ status: 403, errcode: 'M_FORBIDDEN' });
    expect(await ping('bridge', alice.token)).toMatchObject({ status: 403, errcode: 'M_FORBIDDEN' });
  });
});

describe('third-party networks', () => {
  const found = { protocol: 'net', userid: '@_bridge_x:example.org', fields: { name: 'x' } };

  it('are what the services say of them, with ids for their instances', async () => {
    service.answer = ({ path }) =>
      path.includes('/thirdparty/protocol/net')
        ? [200, { user_fields: ['name'], instances: [{ desc: 'One', network_id: 'one' }, { desc: 'Two' }] }]
        : [200, {}];
    const net = {
      user_fields: ['name'],
      instances: [{ desc: 'One', network_id: 'one', instance_id: 'bridge|one' }, { desc: 'Two' }],
    };
    expect(await ask('GET', `${V3}/thirdparty/protocols`, undefined, alice.token)).toEqual({ status: 200, net });
    expect(await ask('GET', `${V3}/thirdparty/protocol/net`, undefined, alice.token)).toEqual({ status: 200, ...net });
    expect(await ask('GET', `${V3}/thirdparty/protocol/other`, undefined, alice.token)).toMatchObject({ status: 404 });
  });

  it('are looked into by fields of theirs and ids of ours, without the token of who looks', async () => {
    service.answer = ({ path }) => (path.includes('/thirdparty/user') ? [200, [found, { odd: true }]] : [404, {}]);
    const look = (path: string) => server.request('GET', `${V3}/thirdparty/${path}`, { token: alice.token });
    expect(JSON.parse((await look('user/net?name=x%26y&access_token=secret')).text)).toEqual([found]);
    expect(service.calls.at(-1)?.path).toBe('/_matrix/app/v1/thirdparty/user/net?name=x%26y');
    expect(JSON.parse((await look('user?userid=@_bridge_x:example.org')).text)).toEqual([found]);
    expect((await look('location/net?name=x')).status).toBe(404);
    expect((await look('user/other?name=x')).status).toBe(404);
    expect((await look('location')).status).toBe(400);
  });

  it('have directories of their own', async () => {
    const roomId = await makeRoom({ name: 'Bridged' });
    const path = `${V3}/directory/list/appservice/one/${roomId}`;
    const listed = async (body: object): Promise<unknown[]> => {
      const { chunk } = await ask('POST', `${V3}/publicRooms`, body, alice.token);
      return (chunk as JsonObject[]).map(({ room_id: id }) => id);
    };
    expect(await ask('PUT', path, { visibility: 'public' }, alice.token)).toMatchObject({ status: 403 });
    expect(await ask('PUT', path, { visibility: 'open' })).toMatchObject({ status: 400, errcode: 'M_BAD_JSON' });
    expect(await ask('PUT', path, { visibility: 'public' })).toMatchObject({ status: 200 });
    expect(await listed({})).not.toContain(roomId);
    expect(await listed({ third_party_instance_id: 'bridge|one' })).toEqual([roomId]);
    expect(await listed({ third_party_instance_id: 'bridge|two' })).toEqual([]);
    expect(await listed({ include_all_networks: true })).toContain(roomId);
    await ask('PUT', path, { visibility: 'private' });
    expect(await listed({ third_party_instance_id: 'bridge|one' })).toEqual([]);
    await ask('PUT', path, { visibility: 'public' });
    expect(await ask('DELETE', path)).toMatchObject({ status: 200 });
    expect(await listed({ third_party_instance_id: 'bridge|one' })).toEqual([]);
  });
});
