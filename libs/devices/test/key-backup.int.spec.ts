import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { RecordedFact } from '#event-store/event-store';
import { expectSameRowsRebuilt } from '#testing/same-rows-rebuilt';
import { type SyncAnswer, SyncApp, type SyncUser } from '#testing/sync-app';

const ALGORITHM = 'm.megolm_backup.v1.curve25519-aes-sha2';
const ROOM = '!room:a.example';
const OTHER = '!other:a.example';
const key = (data: string, more: object = {}): object => ({
  first_message_index: 1,
  forwarded_count: 1,
  is_verified: false,
  session_data: { ciphertext: data },
  ...more,
});

let count = 0;

describe('key backups', () => {
  let app: SyncApp;
  let alice: SyncUser;
  let version: string;
  beforeAll(async () => void (app = await SyncApp.start()));
  afterAll(() => app.close());
  beforeEach(async () => {
    alice = await app.register(`alice${++count}`);
    version = await create();
  });

  const create = async (): Promise<string> =>
    (await alice.ok('POST', '/room_keys/version', { algorithm: ALGORITHM, auth_data: { public_key: 'k' } })).version;
  const pathOf = (of: readonly string[], v = version): string =>
    `/room_keys/${['keys', ...of].map(encodeURIComponent).join('/')}?version=${v}`;
  const put = (body: object, ...of: string[]): Promise<SyncAnswer['body']> => alice.ok('PUT', pathOf(of), body);
  const get = (...of: string[]): Promise<SyncAnswer['body']> => alice.ok('GET', pathOf(of));
  const remove = (...of: string[]): Promise<SyncAnswer['body']> => alice.ok('DELETE', pathOf(of));
  const refusal = async (answer: Promise<SyncAnswer>): Promise<unknown[]> => {
    const { status, body } = await answer;
    return [status, body.errcode];
  };
  const backedUp = (v = version): Promise<RecordedFact[]> => app.factsOf(`backup-${alice.userId}|${v}`);

  it('tell of their current version and of each, with the number of keys', async () => {
    const info = { algorithm: ALGORITHM, auth_data: { public_key: 'k' }, count: 0, etag: '0', version };
    expect(await alice.ok('GET', '/room_keys/version')).toEqual(info);
    const second = await create();
    expect(second).not.toBe(version);
    expect(await alice.ok('GET', '/room_keys/version')).toEqual({ ...info, version: second });
    expect(await alice.ok('GET', `/room_keys/version/${version}`)).toEqual(info);
    expect(await alice.ok('PUT', `/room_keys/version/${second}`, { algorithm: ALGORITHM, auth_data: { b: 1 } })).toEqual({}); // prettier-ignore
    expect(await alice.ok('GET', '/room_keys/version')).toEqual({ ...info, version: second, auth_data: { b: 1 } });
    await alice.ok('PUT', `/room_keys/version/${second}`, { algorithm: ALGORITHM, auth_data: 'opaque' });
    expect(await alice.ok('GET', '/room_keys/version')).toMatchObject({ auth_data: 'opaque' });
    await alice.ok('PUT', `/room_keys/version/${second}`, { algorithm: ALGORITHM, auth_data: { b: 1 } });
    expect(await alice.ok('DELETE', `/room_keys/version/${second}`)).toEqual({});
    expect(await alice.ok('DELETE', `/room_keys/version/${second}`)).toEqual({});
    expect((await alice.ok('GET', '/room_keys/version')).version).toBe(version);
    expect(await refusal(alice.call('GET', `/room_keys/version/${second}`))).toEqual([404, 'M_NOT_FOUND']);
    await alice.ok('DELETE', `/room_keys/version/${version}`);
    expect(await refusal(alice.call('GET', '/room_keys/version'))).toEqual([404, 'M_NOT_FOUND']);
    expect(await create()).toBe('3');
  });

  it.each(['0', '01', '0000000001', ' 1', 'x'.repeat(2000), '9'.repeat(11)])('know no version %j', async (name) => {
    const unknown = encodeURIComponent(name);
    expect(await refusal(alice.call('GET', `/room_keys/version/${unknown}`))).toEqual([404, 'M_NOT_FOUND']);
    expect(await refusal(alice.call('DELETE', `/room_keys/version/${unknown}`))).toEqual([404, 'M_NOT_FOUND']);
    for (const of of ['', `/${ROOM}`, `/${ROOM}/a`]) {
      expect(await refusal(alice.call('GET', `/room_keys/keys${of}?version=${unknown}`))).toEqual([404, 'M_NOT_FOUND']);
      expect(await refusal(alice.call('DELETE', `/room_keys/keys${of}?version=${unknown}`))).toEqual([404, 'M_NOT_FOUND']); // prettier-ignore
    }
  });

  it('take keys of all rooms, of one room and of one session, and give them back so', async () => {
    expect(await put({ rooms: { [ROOM]: { sessions: { a: key('A') } }, [OTHER]: { sessions: {} } } })).toEqual({ count: 1, etag: '1' }); // prettier-ignore
    expect(await put({ sessions: { b: key('B'), 'c/d': key('C') } }, ROOM)).toEqual({ count: 3, etag: '2' });
    expect(await put(key('O'), OTHER, 'a')).toEqual({ count: 4, etag: '3' });
    expect(await get()).toEqual({
      rooms: {
        [ROOM]: { sessions: { a: key('A'), b: key('B'), 'c/d': key('C') } },
        [OTHER]: { sessions: { a: key('O') } },
      },
    });
    expect(await get(ROOM)).toEqual({ sessions: { a: key('A'), b: key('B'), 'c/d': key('C') } });
    expect(await get(ROOM, 'c/d')).toEqual(key('C'));
    expect(await get('!none:a.example')).toEqual({ sessions: {} });
    expect(await refusal(alice.call('GET', pathOf([ROOM, 'x'])))).toEqual([404, 'M_NOT_FOUND']);
    expect(await alice.ok('GET', '/room_keys/version')).toMatchObject({ count: 4, etag: '3' });
  });

  it('keep the better of two keys of a session, and change nothing for a worse one', async () => {
    await put(key('first'), ROOM, 'a');
    expect(await put(key('worse', { first_message_index: 2 }), ROOM, 'a')).toEqual({ count: 1, etag: '1' });
    expect(await put(key('better', { first_message_index: 0 }), ROOM, 'a')).toEqual({ count: 1, etag: '2' });
    expect(await put(key('best', { is_verified: true, first_message_index: 5 }), ROOM, 'a')).toEqual({ count: 1, etag: '3' }); // prettier-ignore
    expect((await get(ROOM, 'a')).session_data).toEqual({ ciphertext: 'best' });
  });

  it('take keys into their last version alone', async () => {
    const second = await create();
    const { status, body } = await alice.call('PUT', pathOf([ROOM, 'a']), key('A'));
    expect([status, body]).toEqual([403, expect.objectContaining({ errcode: 'M_WRONG_ROOM_KEYS_VERSION', current_version: second })]); // prettier-ignore
    expect(await refusal(alice.call('PUT', pathOf([ROOM, 'a'], '9'), key('A')))).toEqual([404, 'M_NOT_FOUND']);
    expect(await refusal(alice.call('PUT', `/room_keys/keys?${''}`, { rooms: {} }))).toEqual([400, 'M_MISSING_PARAM']);
    expect(await alice.ok('PUT', pathOf([ROOM, 'a'], second), key('A'))).toEqual({ count: 1, etag: '1' });
    expect(await get()).toEqual({ rooms: {} });
  });

  it('lose single keys, those of a room, or all', async () => {
    const sessions = { a: key('A'), b: key('B') };
    await put({ rooms: { [ROOM]: { sessions }, [OTHER]: { sessions } } });
    expect(await remove(ROOM, 'a')).toEqual({ count: 3, etag: '2' });
    expect(await remove(ROOM, 'a')).toEqual({ count: 3, etag: '2' });
    expect(await remove(OTHER)).toEqual({ count: 1, etag: '3' });
    expect(await get()).toEqual({ rooms: { [ROOM]: { sessions: { b: key('B') } } } });
    expect(await put(key('again'), ROOM, 'a')).toEqual({ count: 2, etag: '4' });
    expect(await remove()).toEqual({ count: 0, etag: '5' });
    expect(await get()).toEqual({ rooms: {} });
    await expect.poll(async () => (await backedUp()).map(({ type }) => type)).toEqual(['sessions-removed']);
    expect(await put(key('new'), ROOM, 'a')).toEqual({ count: 1, etag: '6' });
    await expectSameRowsRebuilt(app, ['key-backup']);
  });

  it('free the log of the keys of a version that is deleted, and of all with their account', async () => {
    await put(key('secret one'), ROOM, 'a');
    const second = await create();
    await alice.ok('PUT', pathOf([ROOM, 'a'], second), key('secret two'));
    await alice.ok('DELETE', `/room_keys/version/${version}`);
    expect(await refusal(alice.call('GET', pathOf([])))).toEqual([404, 'M_NOT_FOUND']);
    expect(JSON.stringify(await backedUp())).not.toContain('secret');
    expect(JSON.stringify(await backedUp(second))).toContain('secret two');
    await alice.close();
    await expect.poll(async () => JSON.stringify(await backedUp(second))).not.toContain('secret');
    await expectSameRowsRebuilt(app, ['key-backup']);
  });

  it('let go what was overtaken, and are the same then', async () => {
    const all = (from: number, first: number): object => ({
      sessions: Object.fromEntries(
        Array.from({ length: 100 }, (_, n) => [`s${from + n}`, key(`${from + n}`, { first_message_index: first })]),
      ),
    });
    for (let first = 9; first > 2; first--) await put(all(0, first), ROOM);
    await put(all(100, 1), ROOM);
    await expect.poll(async () => (await backedUp()).length).toBeLessThan(500);
    const state = await alice.ok('GET', '/room_keys/version');
    expect(state).toMatchObject({ count: 200, etag: '8' });
    expect((await get(ROOM, 's5')).first_message_index).toBe(3);
    await expectSameRowsRebuilt(app, ['key-backup']);
    expect(await alice.ok('GET', '/room_keys/version')).toEqual(state);
    expect(await put(key('more'), ROOM, 'more')).toEqual({ count: 201, etag: '9' });
    await app.restart();
    expect(await put(key('more'), ROOM, 'yet more')).toEqual({ count: 202, etag: '10' });
  });

  it('count right when many put keys at once', async () => {
    const answers = await Promise.all(Array.from({ length: 10 }, (_, n) => put({ sessions: { same: key('S'), [`s${n}`]: key('S') } }, ROOM))); // prettier-ignore
    expect(answers.map((answer) => answer.etag).toSorted((a, b) => a - b)).toEqual(
      answers.map((_, n) => String(n + 1)),
    );
    expect(await alice.ok('GET', '/room_keys/version')).toMatchObject({ count: 11, etag: '10' });
  });

  it('are nobody else’s', async () => {
    await put(key('A'), ROOM, 'a');
    const bob = await app.register(`bob${count}`);
    expect(await refusal(bob.call('GET', pathOf([])))).toEqual([404, 'M_NOT_FOUND']);
    expect(await refusal(bob.call('DELETE', pathOf([])))).toEqual([404, 'M_NOT_FOUND']);
  });

  it.each([
    ['no key', {}, [400, 'M_MISSING_PARAM']],
    ['an index that is none', key('A', { first_message_index: '1' }), [400, 'M_BAD_JSON']],
    ['an index below nothing', key('A', { first_message_index: -1 }), [400, 'M_BAD_JSON']],
    ['a mark that is none', key('A', { is_verified: 1 }), [400, 'M_BAD_JSON']],
    ['data that is none', key('A', { session_data: 7 }), [400, 'M_BAD_JSON']],
    ['a key that is too large', key('x'.repeat(65_536)), [413, 'M_TOO_LARGE']],
  ])('refuse with a standard error: %s', async (_, body, expected) => {
    expect(await refusal(alice.call('PUT', pathOf([ROOM, 'a']), body))).toEqual(expected);
    expect(await get()).toEqual({ rooms: {} });
  });

  it('take text for the data of a key, as servers in use do, and tell it as it came', async () => {
    await put(key('A', { session_data: 'an opaque text' }), ROOM, 'a');
    expect((await get(ROOM, 'a')).session_data).toBe('an opaque text');
  });

  it('refuse another algorithm, another version in the body, and what is none', async () => {
    const change = (body: object): Promise<unknown[]> =>
      refusal(alice.call('PUT', `/room_keys/version/${version}`, body));
    const auth_data = {};
    expect(await change({ algorithm: 'other', auth_data })).toEqual([400, 'M_INVALID_PARAM']);
    expect(await change({ algorithm: ALGORITHM, auth_data, version: '7' })).toEqual([400, 'M_INVALID_PARAM']);
    expect(await change({ algorithm: ALGORITHM })).toEqual([400, 'M_MISSING_PARAM']);
    expect(await refusal(alice.call('PUT', '/room_keys/version/7', { algorithm: ALGORITHM, auth_data }))).toEqual([404, 'M_NOT_FOUND']); // prettier-ignore
    expect(await refusal(alice.call('DELETE', '/room_keys/version/7'))).toEqual([404, 'M_NOT_FOUND']);
    expect(await refusal(alice.call('POST', '/room_keys/version', { algorithm: ALGORITHM, auth_data: 1 }))).toEqual([400, 'M_BAD_JSON']); // prettier-ignore
  });
});
