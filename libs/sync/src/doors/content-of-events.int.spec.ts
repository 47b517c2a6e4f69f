import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { queryOf, roomPath, SyncApp, type SyncUser } from '#testing/sync-app';

let app: SyncApp;
let alice: SyncUser;
let bob: SyncUser;

beforeAll(async () => {
  app = await SyncApp.start();
  [alice, bob] = [await app.register('alice'), await app.register('bob')];
});
afterAll(() => app.close());

const TODAY = '/_matrix/client/v3';
const V1 = '/_matrix/client/api/v1';

/** Sends a body as it is; answers status and errcode, or the event id. */
async function put(path: string, text: string): Promise<[number, string]> {
  const { status, text: answer } = await app.callText('PUT', path, alice.token, text);
  const body = JSON.parse(answer) as { errcode?: string; event_id?: string };
  return [status, (body.errcode ?? body.event_id)!];
}

async function read(path: string, user = alice): Promise<string> {
  const { status, text } = await app.callText('GET', path, user.token);
  expect([status, text]).toEqual([200, expect.any(String)]);
  return text;
}

const NUMBERS =
  '{"big":9007199254740993,"body":"x","float":1.0,"list":[0.50,1e300],"msgtype":"m.text","plain":1e10,"zero":-0}';
/** What is made of it where numbers may be of any kind: they are spelled as other servers do (`spellDouble`). */
const KEPT =
  '"content":{"big":9007199254740993,"body":"x","float":1.0,"list":[0.5,1e+300],"msgtype":"m.text","plain":10000000000,"zero":0}';

describe('the numbers in the content of an event', () => {
  it('have one spelling in rooms of version 1 to 5, wherever the event is read', async () => {
    for (const room_version of ['1', '5']) {
      const roomId = await alice.createRoom({ room_version, preset: 'public_chat' });
      const path = roomPath(roomId);
      const [status, eventId] = await put(`${TODAY}${path}/send/m.room.message/1`, NUMBERS);
      expect(status).toBe(200);
      const ofEvent = encodeURIComponent(eventId);
      const [, stateId] = await put(`${TODAY}${path}/state/org.example.numbers/`, NUMBERS);
      expect(stateId).toMatch(/^\$/);
      const state = `${TODAY}${path}/state/org.example.numbers/`;
      const look = async (): Promise<void> => {
        for (const one of [
          `${TODAY}${path}/event/${ofEvent}`,
          `${TODAY}${path}/context/${ofEvent}`,
          `${TODAY}${path}/messages?dir=b`,
          `${TODAY}${path}/state`,
          `${TODAY}/sync`,
          `${TODAY}/sync?${queryOf({ filter: { event_fields: ['content', 'event_id'] } })}`,
          `${V1}/initialSync?limit=10`,
          `${V1}/rooms/${encodeURIComponent(roomId)}/messages?dir=b&limit=10`,
        ]) {
          expect(await read(one)).toContain(KEPT);
        }
        expect(`"content":${await read(state)}`).toBe(KEPT);
      };
      await look();
      await app.restart();
      await look();
      // The same state again is the same event, and a room folded from the log knows its own numbers.
      expect(await put(`${TODAY}${path}/state/org.example.numbers/`, NUMBERS)).toEqual([200, stateId]);
    }
  });

  it('keep their spelling in the initial state of a room and in what an invited user is shown of it', async () => {
    const body =
      '{"room_version":"5","creation_content":{"org.example.big":9007199254740993},' +
      '"initial_state":[{"type":"org.example.numbers","content":{"constructor":1,"n":1.0}}]}';
    const { text } = await app.callText('POST', `${TODAY}/createRoom`, alice.token, body);
    const roomId = (JSON.parse(text) as { room_id: string }).room_id;
    const state = `${TODAY}${roomPath(roomId)}/state`;
    expect(await read(`${state}/org.example.numbers`)).toBe('{"constructor":1,"n":1.0}');
    expect(await read(`${state}/m.room.create`)).toContain('"org.example.big":9007199254740993');
    await alice.ok('POST', `${roomPath(roomId)}/invite`, { user_id: bob.userId });
    expect(await read(`${TODAY}/sync`, bob)).toContain('"org.example.big":9007199254740993');
  });

  it.each(['1.0', '0.5', '9007199254740993', '9007199254740992', '1e16', '1e400', '-0.0'])(
    'are refused from version 6 on where they are no integer that a double holds: %s',
    async (number) => {
      const path = roomPath(await alice.createRoom());
      for (const at of [`${TODAY}${path}/send/m.room.message/${number}`, `${TODAY}${path}/state/org.example.n/`]) {
        expect(await put(at, `{"n":${number}}`)).toEqual([400, 'M_BAD_JSON']);
      }
      const v1 = `${V1}${path}/send/m.room.message/1`;
      expect(await put(v1, `{"body":"x","msgtype":"m.text","n":[${number}]}`)).toEqual([400, 'M_BAD_JSON']);
    },
  );

  it('are integers however they are written: -0 and 1e10', async () => {
    const path = roomPath(await alice.createRoom());
    expect((await put(`${TODAY}${path}/state/org.example.n/`, '{"a":-0,"b":1e10}'))[0]).toBe(200);
    expect(await read(`${TODAY}${path}/state/org.example.n/`)).toBe('{"a":0,"b":10000000000}');
  });
});

describe('content that no event can hold', () => {
  it('changes nothing', async () => {
    const path = `${TODAY}${roomPath(await alice.createRoom())}`;
    for (const text of ['{"a":1,"a":2}', '{"a":"\\ud800"}', '{"\\udfff":1}']) {
      expect(await put(`${path}/state/org.example.n/`, text)).toEqual([400, 'M_BAD_JSON']);
      expect(await put(`${path}/send/m.room.message/1`, text)).toEqual([400, 'M_BAD_JSON']);
      expect((await app.callText('GET', `${path}/state/org.example.n/`, alice.token)).status).toBe(404);
    }
  });

  it('is refused where it nests too deeply to be read again, also in rooms whose numbers are read from their text', async () => {
    const nested = (depth: number): string => `${'{"a":'.repeat(depth - 1)}{}${'}'.repeat(depth - 1)}`;
    const roomId = await alice.createRoom({ room_version: '5' });
    const path = `${TODAY}${roomPath(roomId)}/state/org.example.deep/`;
    expect(await put(path, nested(100))).toEqual([400, 'M_BAD_JSON']);
    expect((await put(path, nested(99)))[0]).toBe(200);
    await app.restart();
    expect((await put(path, nested(98)))[0]).toBe(200);
    expect(await read(path)).toBe(nested(98));
  });

  it('cannot come into a profile, from where it would go into every member event', async () => {
    const profile = `${TODAY}/profile/${encodeURIComponent(alice.userId)}`;
    expect(await put(`${profile}/displayname`, '{"displayname":"\\ud83d"}')).toEqual([400, 'M_BAD_JSON']);
    expect(await put(`${profile}/avatar_url`, '{"avatar_url":"mxc://x/\\udc00"}')).toEqual([400, 'M_BAD_JSON']);
    expect(await put(`${profile}/org.example.x`, '{"org.example.x":{"\\udc00":1}}')).toEqual([400, 'M_BAD_JSON']);
    const v1 = `${V1}/profile/${encodeURIComponent(alice.userId)}/displayname`;
    expect(await put(v1, '{"displayname":"\\ud83d"}')).toEqual([400, 'M_BAD_JSON']);
    expect((await alice.call('POST', '/createRoom', {})).status).toBe(200);
  });

  it.each([
    ['PUT', '/user/@alice%3Aa.example/account_data/org.example.x', '{"x":"\\ud83d"}'],
    ['POST', '/user/@alice%3Aa.example/filter', '{"x":"\\ud83d"}'],
    ['PUT', '/devices/D', '{"display_name":"\\ud83d"}'],
    ['POST', '/createRoom', '{"name":"\\ud83d"}'],
    ['POST', '/createRoom', '{"topic":"\\ud83d"}'],
    ['POST', '/register', '{"initial_device_display_name":"\\ud83d"}'],
    ['POST', '/login', '{"type":"m.login.password","initial_device_display_name":"\\ud83d"}'],
  ] as const)('cannot come in elsewhere: %s %s', async (method, path, text) => {
    const { status, text: answer } = await app.callText(method, `${TODAY}${path}`, alice.token, text);
    expect([status, (JSON.parse(answer) as { errcode: string }).errcode]).toEqual([400, 'M_BAD_JSON']);
  });
});

describe('keys of the state with NUL bytes', () => {
  it('are told apart, also in the state of an earlier time', async () => {
    const roomId = await alice.createRoom({
      preset: 'public_chat',
      initial_state: [{ type: 'm.room.name\0x', state_key: 'y', content: { n: 0 } }],
      name: 'named',
    });
    const path = roomPath(roomId);
    const set = async (type: string, key: string, n: number): Promise<void> => {
      await alice.ok('PUT', `${path}/state/${encodeURIComponent(type)}/${encodeURIComponent(key)}`, { n });
    };
    await set('t\0a', 'b', 1);
    await set('t', 'a\0b', 2);
    await bob.join(roomId);
    await bob.leave(roomId);
    await set('t\0a', 'b', 3);
    await set('t', 'a\0b', 4);
    const wanted = (events: { type: string; state_key: string; content: { n: number } }[]) =>
      events
        .filter(({ type }) => type.startsWith('t'))
        .map((event) => `${event.type}|${event.state_key}=${event.content.n}`);
    const expected = ['t\0a|b=1', 't|a\0b=2'];
    expect(wanted(await bob.ok('GET', `${path}/state`)).toSorted()).toEqual(expected);
    const filter = { room: { include_leave: true, state: { lazy_load_members: true }, timeline: { limit: 0 } } };
    const { rooms } = await bob.sync({ filter });
    expect(wanted(rooms.leave[roomId].state.events).toSorted()).toEqual(expected);
  });

  it('are told apart among transaction ids', async () => {
    const path = roomPath(await alice.createRoom());
    const first = await alice.ok('PUT', `${path}/send/t%00x/y`, {});
    const second = await alice.ok('PUT', `${path}/send/t/x%00y`, {});
    expect(first.event_id).not.toBe(second.event_id);
  });
});
