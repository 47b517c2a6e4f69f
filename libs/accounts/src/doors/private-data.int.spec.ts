import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { RoomId, UserId } from '#kernel/ids';
import { START } from '#kernel/position';
import { type AccountsApp, startAccountsApp } from '#testing/accounts-app';
import { listAccountData, listChangedAccountData } from '../queries/account-data.js';

const V3 = '/_matrix/client/v3';
const ROOM = '!room:example.org' as RoomId;

describe('what an account keeps', () => {
  let app: AccountsApp;
  let counter = 0;
  let userId: UserId;
  let token: string;
  beforeAll(async () => void (app = await startAccountsApp()));
  afterAll(() => app.close());
  beforeEach(async () => {
    const body = { auth: { type: 'm.login.dummy' }, username: `user${++counter}`, password: 'secret' };
    const answer = (await app.call('POST', `${V3}/register`, { body })).body;
    userId = answer['user_id'] as UserId;
    token = String(answer['access_token']);
  });

  const get = (path: string) => app.call('GET', `${V3}/${path}`, { token });
  const put = (path: string, body: unknown) => app.call('PUT', `${V3}/${path}`, { token, body });
  const remove = (path: string) => app.call('DELETE', `${V3}/${path}`, { token });

  describe('profile', () => {
    it('is empty at first, then has what was set', async () => {
      expect((await get(`profile/${userId}`)).body).toEqual({});
      for (const key of ['displayname', 'avatar_url']) expect((await get(`profile/${userId}/${key}`)).text).toBe('{}');
      expect((await get(`profile/${userId}/m.tz`)).status).toBe(404);
      expect((await put(`profile/${userId}/displayname`, { displayname: 'Alice' })).body).toEqual({});
      expect((await put(`profile/${userId}/avatar_url`, { avatar_url: 'mxc://example.org/a' })).status).toBe(200);
      expect((await put(`profile/${userId}/m.tz`, { 'm.tz': 'Europe/London' })).status).toBe(200);
      expect((await put(`profile/${userId}/org.example.any`, { 'org.example.any': [1, null] })).status).toBe(200);
      expect((await app.call('GET', `${V3}/profile/${userId}`)).body).toEqual({
        displayname: 'Alice',
        avatar_url: 'mxc://example.org/a',
        'm.tz': 'Europe/London',
        'org.example.any': [1, null],
      });
      expect((await remove(`profile/${userId}/displayname`)).status).toBe(200);
      expect((await put(`profile/${userId}/avatar_url`, { avatar_url: '' })).status).toBe(200);
      expect(Object.keys((await get(`profile/${userId}`)).body)).toEqual(['m.tz', 'org.example.any']);
    });

    it('is nobody else’s to change, and takes no bad keys or values', async () => {
      const other = await put('profile/@somebody:example.org/displayname', { displayname: 'x' });
      expect([other.status, other.body['errcode']]).toEqual([403, 'M_FORBIDDEN']);
      const errcodes = [
        await put(`profile/${userId}/displayname`, { name: 'x' }),
        await put(`profile/${userId}/displayname`, { displayname: 7 }),
        await put(`profile/${userId}/displayname`, { displayname: 'x'.repeat(257) }),
        await put(`profile/${userId}/Bad`, { Bad: 'x' }),
        await put(`profile/${userId}/a.${'b'.repeat(260)}`, { [`a.${'b'.repeat(260)}`]: 'x' }),
        await put(`profile/${userId}/a.b`, { 'a.b': 'x'.repeat(65_600) }),
        await app.call('GET', `${V3}/profile/@nobody:example.org`),
      ].map(({ body }) => body['errcode']);
      expect(errcodes).toEqual([
        'M_MISSING_PARAM',
        'M_BAD_JSON',
        'M_INVALID_PARAM',
        'M_INVALID_PARAM',
        'M_KEY_TOO_LARGE',
        'M_PROFILE_TOO_LARGE',
        'M_NOT_FOUND',
      ]);
    });
  });

  describe('account data', () => {
    it('is kept for the account and for rooms, apart from each other', async () => {
      expect((await get(`user/${userId}/account_data/my.type`)).body['errcode']).toBe('M_NOT_FOUND');
      await put(`user/${userId}/account_data/my.type`, { of: 'account' });
      await put(`user/${userId}/rooms/${ROOM}/account_data/my.type`, { of: 'room' });
      expect((await get(`user/${userId}/account_data/my.type`)).text).toBe('{"of":"account"}');
      expect((await get(`user/${userId}/rooms/${ROOM}/account_data/my.type`)).text).toBe('{"of":"room"}');
    });

    it('is private, and not to be written where the server manages it', async () => {
      const foreign = await get('user/@someone:example.org/account_data/my.type');
      expect([foreign.status, foreign.body['errcode']]).toEqual([403, 'M_FORBIDDEN']);
      for (const type of ['m.fully_read', 'm.push_rules']) {
        const answer = await put(`user/${userId}/account_data/${type}`, {});
        expect([answer.status, answer.body['errcode']]).toEqual([405, 'M_BAD_JSON']);
      }
      expect((await put(`user/${userId}/rooms/nonsense/account_data/x`, {})).body['errcode']).toBe('M_INVALID_PARAM');
      expect((await put(`user/${userId}/account_data/x`, [])).body['errcode']).toBe('M_BAD_JSON');
    });

    it('takes what clients keep their secrets in, and content of nearly a megabyte', async () => {
      const encrypted = { encrypted: { k1: { iv: 'aXY', ciphertext: 'Y2lwaGVy', mac: 'bWFj' } } };
      const contents: Record<string, object> = {
        'm.secret_storage.default_key': { key: 'k1' },
        'm.secret_storage.key.k1': { algorithm: 'm.secret_storage.v1.aes-hmac-sha2', iv: 'aXY', mac: 'bWFj' },
        'm.cross_signing.master': encrypted,
        'm.cross_signing.self_signing': encrypted,
        'm.cross_signing.user_signing': encrypted,
        'm.megolm_backup.v1': encrypted,
        'org.matrix.msc3814': encrypted,
        'm.direct': Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`@user${i}:example.org`, [`!${i}`]])),
      };
      for (const [type, content] of Object.entries(contents)) {
        expect([type, (await put(`user/${userId}/account_data/${type}`, content)).status]).toEqual([type, 200]);
        expect((await get(`user/${userId}/account_data/${type}`)).body).toEqual(content);
      }
      const tooLarge = await put(`user/${userId}/account_data/m.direct`, { a: 'x'.repeat(1_100_000) });
      expect([tooLarge.status, tooLarge.body['errcode']]).toEqual([413, 'M_TOO_LARGE']);
      expect((await get(`user/${userId}/account_data/m.direct`)).body).toEqual(contents['m.direct']);
    });

    it('can be listed, and what changed since a position, each piece once with its newest content', async () => {
      await put(`user/${userId}/account_data/a`, { n: 1 });
      const since = app.views.position();
      await put(`user/${userId}/account_data/b`, { n: 2 });
      await put(`user/${userId}/rooms/${ROOM}/account_data/c`, { n: 3 });
      await put(`user/${userId}/account_data/b`, { n: 4 });
      await put(`pushrules/global/room/${ROOM}`, { actions: ['notify'] });
      const all = await listAccountData(app.views, userId, undefined);
      expect(all.map(({ type, position }) => [type, position === START])).toEqual([
        ['a', false],
        ['b', false],
        ['m.push_rules', false],
      ]);
      const changed = await listChangedAccountData(app.views, userId, { after: since });
      expect(changed.map(({ roomId, type, content }) => [roomId, type, content.slice(0, 9)])).toEqual([
        [ROOM, 'c', '{"n":3}'],
        [undefined, 'b', '{"n":4}'],
        [undefined, 'm.push_rules', '{"global"'],
      ]);
      const upTo = changed[0]!.position;
      expect(await listChangedAccountData(app.views, userId, { after: since, upTo })).toHaveLength(1);
      expect(await listChangedAccountData(app.views, userId, { after: upTo, upTo })).toEqual([]);
    });

    it('holds the tags of a room', async () => {
      const tags = `user/${userId}/rooms/${ROOM}/tags`;
      expect((await get(tags)).body).toEqual({ tags: {} });
      await put(`${tags}/m.favourite`, { order: 0.5 });
      await put(`${tags}/u.work`, {});
      expect((await get(tags)).body).toEqual({ tags: { 'm.favourite': { order: 0.5 }, 'u.work': {} } });
      expect((await remove(`${tags}/u.work`)).body).toEqual({});
      expect((await remove(`${tags}/u.none`)).status).toBe(200);
      expect((await get(`user/${userId}/rooms/${ROOM}/account_data/m.tag`)).body).toEqual({
        tags: { 'm.favourite': { order: 0.5 } },
      });
      expect((await put(`${tags}/u.x`, { order: 'first' })).body['errcode']).toBe('M_BAD_JSON');
      expect((await put(`${tags}/${'x'.repeat(256)}`, {})).body['errcode']).toBe('M_INVALID_PARAM');
    });

    it('holds the tags of a room to the same rules where they are set all at once', async () => {
      const path = `user/${userId}/rooms/${ROOM}`;
      expect((await put(`${path}/account_data/m.tag`, { tags: { 'u.a': { order: 0.5 } }, more: 1 })).status).toBe(200);
      const refused = await Promise.all(
        [
          { tags: 'x' },
          { tags: [] },
          { tags: null },
          { tags: { 'u.b': null } },
          { tags: { 'u.b': { order: '0.5' } } },
          { tags: { 'u.b': { order: 2 } } },
          { tags: { ['x'.repeat(256)]: {} } },
        ].map((content) => put(`${path}/account_data/m.tag`, content)),
      );
      expect(refused.map(({ body }) => body['errcode'])).toEqual([...Array(6).fill('M_BAD_JSON'), 'M_INVALID_PARAM']);
      expect((await get(`${path}/tags`)).body['tags']).toEqual({ 'u.a': { order: 0.5 } });
      expect((await put(`user/${userId}/account_data/m.tag`, { tags: 'x' })).status).toBe(200);
    });
  });

  it('holds filters under ids that stay', async () => {
    const url = `${V3}/user/${userId}/filter`;
    const filter = { room: { timeline: { limit: 10, types: ['m.room.*'] } }, 'org.example.more': 1.5 };
    const first = await app.call('POST', url, { token, body: filter });
    expect(first.status).toBe(200);
    const again = await app.call('POST', url, { token, body: filter });
    expect(again.body).toEqual(first.body);
    expect((await app.call('GET', `${url}/${String(first.body['filter_id'])}`, { token })).body).toEqual(filter);
    expect((await app.call('GET', `${url}/unknown`, { token })).body['errcode']).toBe('M_NOT_FOUND');
    const bad = await app.call('POST', url, { token, body: { room: { timeline: { limit: 'ten' } } } });
    expect(bad.body).toEqual({ errcode: 'M_BAD_JSON', error: 'room.timeline.limit: must be a positive integer' });
  });

  it.each([
    ['account data', 'PUT', (user: string) => `user/${user}/account_data/org.example.n`, '{"n":N}'],
    [
      'account data of a room',
      'PUT',
      (user: string) => `user/${user}/rooms/${ROOM}/account_data/org.example.n`,
      '{"n":N}',
    ],
    ['a tag', 'PUT', (user: string) => `user/${user}/rooms/${ROOM}/tags/u.n`, '{"n":N}'],
    ['a field of the profile', 'PUT', (user: string) => `profile/${user}/org.example.n`, '{"org.example.n":[N]}'],
    ['a filter', 'POST', (user: string) => `user/${user}/filter`, '{"org.example.n":N}'],
    [
      'the conditions of a push rule',
      'PUT',
      () => 'pushrules/global/override/n',
      '{"actions":[],"conditions":[{"kind":"org.example.n","n":N}]}',
    ],
    ['the actions of a push rule', 'PUT', () => 'pushrules/global/room/n', '{"actions":[{"set_tweak":"n","value":N}]}'],
  ] as const)('keeps numbers as they are or refuses them: %s', async (_what, method, pathOf, text) => {
    const call = (path: string, raw: string) => app.call(method, `${V3}/${path}`, { token, raw });
    for (const number of ['9007199254740993', '1e400', '0.12345678901234567891']) {
      const { status, body } = await call(pathOf(userId), text.replace('N', number));
      expect([status, body['errcode']]).toEqual([400, 'M_BAD_JSON']);
    }
    for (const number of ['9007199254740991', '0.5'])
      expect((await call(pathOf(userId), text.replace('N', number))).status).toBe(200);
  });

  it('has nothing that this server cannot keep', async () => {
    expect((await get('account/3pid')).body).toEqual({ threepids: [] });
  });

  it('can be shown to other services to be theirs, for an hour and no longer than they are logged in', async () => {
    const url = `${V3}/user/${userId}/openid/request_token`;
    const { body } = await app.call('POST', url, { token, body: {} });
    expect(body).toMatchObject({ token_type: 'Bearer', matrix_server_name: 'example.org', expires_in: 3600 });
    const userinfo = (text: string) => app.call('GET', `/_matrix/federation/v1/openid/userinfo?access_token=${text}`);
    expect((await userinfo(String(body['access_token']))).body).toEqual({ sub: userId });
    for (const wrong of ['an/invalid/token', token]) expect((await userinfo(wrong)).status).toBe(401);
    expect((await app.call('GET', '/_matrix/federation/v1/openid/userinfo')).body['errcode']).toBe('M_MISSING_TOKEN');
    const foreign = await app.call('POST', `${V3}/user/@x:example.org/openid/request_token`, { token, body: {} });
    expect(foreign.status).toBe(403);
    expect((await app.call('POST', url, { token, body: [] })).status).toBe(400);
    await app.call('POST', `${V3}/logout`, { token, body: {} });
    expect((await userinfo(String(body['access_token']))).status).toBe(401);
  });

  it('is served with what the server says of itself', async () => {
    const { versions } = (await app.call('GET', '/_matrix/client/versions')).body;
    expect(versions).toContain('v1.11');
    expect((await app.call('GET', '/.well-known/matrix/client')).body).toEqual({
      'm.homeserver': { base_url: 'http://127.0.0.1:8008' },
      'org.matrix.msc3814': true,
    });
    const { capabilities } = (await get('capabilities')).body as { capabilities: Record<string, unknown> };
    expect(capabilities['m.room_versions']).toMatchObject({
      default: '12',
      available: { '1': 'stable', '12': 'stable', 'dev.annals.12.deletion': 'unstable' },
    });
    expect((await app.call('GET', `${V3}/capabilities`)).status).toBe(401);
  });
});
