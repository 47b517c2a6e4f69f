import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { roomPath, SyncApp, type SyncUser } from '#testing/sync-app';

/** What rooms of 2015 kept levels and aliases in, and what else somebody may write there. */
const OLD_STATE = [
  ['m.room.send_event_level', '', { level: 1000 }],
  ['m.room.add_state_level', '', { level: -1 }],
  ['m.room.ops_levels', '', { ban_level: 0, kick_level: 0, redact_level: 0 }],
  ['m.room.ops_level', '', { ban_level: 'all', kick_level: null }],
  ['m.room.aliases', 'a.example', { aliases: ['#theirs:a.example', 7, {}] }],
  ['m.room.aliases', '', { aliases: 'no list' }],
] as const;

describe('state in which rooms of 2015 kept levels and aliases', () => {
  let app: SyncApp;
  let alice: SyncUser;
  let bob: SyncUser;
  let roomId: string;
  beforeAll(async () => {
    app = await SyncApp.start();
    [alice, bob] = [await app.register('alice'), await app.register('bob')];
    roomId = (await alice.v1('POST', '/createRoom', {})).body.room_id;
    await bob.v1('POST', `/join/${encodeURIComponent(roomId)}`);
    for (const [type, key, content] of OLD_STATE) {
      const { status } = await alice.v1('PUT', `${roomPath(roomId)}/state/${type}/${key}`, content);
      expect([type, status]).toEqual([type, 200]);
    }
  });
  afterAll(() => app.close());

  it('is read as it was written, by every way of both dialects', async () => {
    const path = roomPath(roomId);
    const ways = [
      bob.ok('GET', `${path}/state`),
      bob.sync(),
      bob.ok('GET', `${path}/initialSync`),
      bob.ok('GET', `${path}/messages?dir=b&limit=50`),
      bob.v1('GET', `${path}/state`).then(({ body }) => body),
      bob.v1('GET', `${path}/initialSync`).then(({ body }) => body),
      bob.v1('GET', '/initialSync').then(({ body }) => body),
      bob.v1('GET', '/events?from=START&to=END').then(({ body }) => body),
    ];
    for (const [i, way] of ways.entries()) {
      const text = JSON.stringify(await way);
      for (const [type, , content] of OLD_STATE) {
        expect(text, `${i}`).toContain(`"type":"${type}"`);
        expect(text, `${i}`).toContain(`"content":${JSON.stringify(content)}`);
      }
    }
    for (const [type, key, content] of OLD_STATE) {
      expect((await bob.v1('GET', `${path}/state/${type}/${key}`)).body).toEqual(content);
      expect(await bob.ok('GET', `${path}/state/${type}/${key}`)).toEqual(content);
    }
  });

  it('decides nothing: levels are those of m.room.power_levels, aliases those of the directory', async () => {
    const path = roomPath(roomId);
    const said = await bob.v1('POST', `${path}/send/m.room.message`, { msgtype: 'm.text', body: 'heard' });
    expect(said.status).toBe(200);
    const refused = [
      await bob.v1('POST', `${path}/ban`, { user_id: alice.userId }),
      await bob.v1('POST', `${path}/kick`, { user_id: alice.userId }),
      await bob.v1('PUT', `${path}/state/org.example.new`, {}),
    ];
    expect(refused.map(({ status, body }) => [status, body.errcode])).toEqual(refused.map(() => [403, 'M_FORBIDDEN']));
    const alias = encodeURIComponent('#theirs:a.example');
    expect((await bob.v1('GET', `/directory/room/${alias}`)).status).toBe(404);
    const [listed] = (await bob.v1('GET', '/publicRooms')).body.chunk;
    expect(listed).toMatchObject({ room_id: roomId, aliases: [] });
    expect(await bob.ok('GET', `${path}/aliases`)).toEqual({ aliases: [] });
  });

  it('is not made by the server: a room of an old client has one event for all levels', async () => {
    const { body } = await alice.v1('POST', '/createRoom', { room_alias_name: 'named' });
    const types = (await alice.v1('GET', `${roomPath(body.room_id)}/state`)).body.map(
      (one: { type: string }) => one.type,
    );
    expect(types).toContain('m.room.power_levels');
    expect(types.filter((type: string) => OLD_STATE.some(([old]) => old === type))).toEqual([]);
    expect(
      (await alice.v1('PUT', `${roomPath(body.room_id)}/state/m.room.power_levels`, { default: 0 })).body,
    ).toMatchObject({
      errcode: 'M_BAD_JSON',
    });
  });
});
