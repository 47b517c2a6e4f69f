import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type SyncAnswer, SyncApp, type SyncUser } from '#testing/sync-app';

const USED = { signed_curve25519: 0 };

describe('the keys of devices', () => {
  let app: SyncApp;
  let alice: SyncUser;
  let bob: SyncUser;
  let device: string;
  let count = 0;
  beforeAll(async () => void (app = await SyncApp.start()));
  afterAll(() => app.close());
  beforeEach(async () => {
    alice = await app.register(`alice${++count}`);
    bob = await app.register(`bob${count}`);
    device = (await alice.ok('GET', '/account/whoami')).device_id;
  });

  const deviceKeys = (): Record<string, unknown> => ({
    user_id: alice.userId,
    device_id: device,
    algorithms: ['m.megolm.v1.aes-sha2'],
    keys: { [`ed25519:${device}`]: 'ed' },
    signatures: { [alice.userId]: { [`ed25519:${device}`]: 'signature' } },
  });
  const keyOf = (id: string): object => ({ key: `key ${id}`, signatures: {} });
  const oneTimeKeys = (...ids: string[]): object =>
    Object.fromEntries(ids.map((id) => [`signed_curve25519:${id}`, keyOf(id)]));
  const upload = (body: object): Promise<unknown> => alice.ok('POST', '/keys/upload', body);
  const query = async (user: SyncUser, wanted: object): Promise<SyncAnswer['body']> =>
    user.ok('POST', '/keys/query', { device_keys: wanted });
  const claim = async (user: SyncUser, wanted: object): Promise<SyncAnswer['body']> =>
    user.ok('POST', '/keys/claim', { one_time_keys: wanted });
  const claimOne = async (): Promise<string | undefined> => {
    const { one_time_keys: keys } = await claim(bob, {
      [alice.userId]: { [device]: 'signed_curve25519' },
    });
    return Object.keys(keys[alice.userId]?.[device] ?? {})[0];
  };
  const told = async (since?: string): Promise<SyncAnswer['body']> => alice.sync(since === undefined ? {} : { since });

  const factsOf = async (deviceId: string): Promise<string[]> =>
    (await app.factsOf(`device-${alice.userId}|${deviceId}`)).map(({ type }) => type);

  describe('asked for', () => {
    it('come as they were uploaded, of one device or of all', async () => {
      await upload({
        device_keys: {
          ...deviceKeys(),
          'org.example.more': [1, null],
          unsigned: { forged: true },
        },
      });
      const expected = {
        [device]: {
          ...deviceKeys(),
          'org.example.more': [1, null],
          unsigned: {},
        },
      };
      for (const ids of [[], [device], [device, device, 'X', 'x'.repeat(300)]]) {
        const answer = await query(bob, { [alice.userId]: ids });
        expect(answer.device_keys).toEqual({ [alice.userId]: expected });
        expect(answer.failures).toEqual({});
      }
      expect((await query(bob, { [alice.userId]: ['X'] })).device_keys).toEqual({ [alice.userId]: {} });
    });

    it('are none of somebody without any, or who is not here: clients ask for whom they are not told of for ever', async () => {
      const nobody = `@nobody:${alice.userId.split(':')[1]}`;
      const answer = await query(bob, {
        [alice.userId]: [],
        [nobody]: [],
        '@x:elsewhere.example': [],
      });
      expect(answer.device_keys).toEqual({ [alice.userId]: {}, [nobody]: {} });
      expect(Object.keys(answer.failures)).toEqual(['elsewhere.example']);
    });

    it('come with the name of the device for who shares a room with its owner, and for nobody else', async () => {
      await upload({ device_keys: deviceKeys() });
      await alice.ok('PUT', `/devices/${device}`, { display_name: 'My phone' });
      const nameFor = async (user: SyncUser): Promise<unknown> =>
        (await query(user, { [alice.userId]: [] })).device_keys[alice.userId][device].unsigned.device_display_name;
      expect(await nameFor(alice)).toBe('My phone');
      expect(await nameFor(bob)).toBeUndefined();
      const room = await alice.createRoom({ preset: 'public_chat' });
      await bob.join(room);
      expect(await nameFor(bob)).toBe('My phone');
      await bob.leave(room);
      expect(await nameFor(bob)).toBeUndefined();
    });

    it('are gone with the device, also when it is made again', async () => {
      await upload({
        device_keys: deviceKeys(),
        one_time_keys: oneTimeKeys('A'),
      });
      const laptop = await alice.logIn();
      await laptop.ok('DELETE', `/devices/${device}`, { auth: alice.auth });
      expect((await query(bob, { [alice.userId]: [] })).device_keys).toEqual({
        [alice.userId]: {},
      });
      expect(await claimOne()).toBeUndefined();
      const login = { ...alice.auth, device_id: device };
      await app.call('POST', '/_matrix/client/v3/login', undefined, login);
      expect((await query(bob, { [alice.userId]: [] })).device_keys).toEqual({
        [alice.userId]: {},
      });
      expect(await claimOne()).toBeUndefined();
    });

    it('go from the log with the device', async () => {
      const laptop = await alice.logIn();
      const { device_id: id } = await laptop.ok('GET', '/account/whoami');
      await laptop.ok('POST', '/keys/upload', {
        one_time_keys: oneTimeKeys('A', 'B'),
      });
      const stream = (): Promise<string[]> => factsOf(id);
      expect(await stream()).toEqual(['one-time-keys-added']);
      await laptop.ok('POST', '/logout', {});
      await expect.poll(stream).toEqual(['device-keys-ended']);
    });

    it.each([
      ['nothing', {}, 'M_MISSING_PARAM'],
      ['no object', { device_keys: [] }, 'M_BAD_JSON'],
      ['no list of devices', { device_keys: { '@a:b': {} } }, 'M_BAD_JSON'],
      ['devices that are no texts', { device_keys: { '@a:b': [1] } }, 'M_BAD_JSON'],
      ['no user', { device_keys: { a: [] } }, 'M_INVALID_PARAM'],
    ])('are refused for %s', async (_, body, errcode) => {
      const answer = await alice.call('POST', '/keys/query', body);
      expect([answer.status, answer.body.errcode]).toEqual([400, errcode]);
    });
  });

  describe('claimed', () => {
    it('come in the order of their upload, each once', async () => {
      await upload({ one_time_keys: oneTimeKeys('Z', 'B') });
      await upload({ one_time_keys: oneTimeKeys('A') });
      const first = await claim(bob, {
        [alice.userId]: { [device]: 'signed_curve25519' },
        '@x:elsewhere.example': { D: 'a' },
      });
      expect(first.one_time_keys).toEqual({
        [alice.userId]: { [device]: { 'signed_curve25519:Z': keyOf('Z') } },
      });
      expect(Object.keys(first.failures)).toEqual(['elsewhere.example']);
      expect([await claimOne(), await claimOne(), await claimOne()]).toEqual([
        'signed_curve25519:B',
        'signed_curve25519:A',
        undefined,
      ]);
      expect((await claim(bob, { [alice.userId]: { X: 'a' }, [bob.userId]: {} })).one_time_keys).toEqual({});
    });

    it('are each given to one of a hundred who ask at once', async () => {
      const ids = Array.from({ length: 100 }, (_, n) => `K${n}`);
      await upload({
        one_time_keys: oneTimeKeys(...ids),
        fallback_keys: { 'signed_curve25519:F': keyOf('F') },
      });
      const given = await Promise.all(Array.from({ length: 103 }, claimOne));
      expect(given.slice(100)).toEqual(Array.from({ length: 3 }, () => 'signed_curve25519:F'));
      expect(given.slice(0, 100)).toEqual(ids.map((id) => `signed_curve25519:${id}`));
    });

    it('are not given again after a restart, and are the same still', async () => {
      await upload({ one_time_keys: oneTimeKeys('A', 'B', 'C') });
      expect(await claimOne()).toBe('signed_curve25519:A');
      await app.restart();
      expect((await told()).device_one_time_keys_count).toEqual({
        signed_curve25519: 2,
      });
      expect([await claimOne(), await claimOne(), await claimOne()]).toEqual([
        'signed_curve25519:B',
        'signed_curve25519:C',
        undefined,
      ]);
    });

    it('go on where the stream of the device was shortened', async () => {
      for (let round = 0; round < 4; round++) {
        const ids = Array.from({ length: 90 }, (_, n) => `R${round}-${n}`);
        await upload({ one_time_keys: oneTimeKeys(...ids) });
        // One after the other: each is a fact.
        for (const id of ids) expect(await claimOne()).toBe(`signed_curve25519:${id}`);
      }
      const [first] = await factsOf(device);
      expect(first).toBe('device-keys-summed-up');
      await app.restart();
      expect(await claimOne()).toBeUndefined();
      expect(
        (
          await alice.call('POST', '/keys/upload', {
            one_time_keys: { 'signed_curve25519:R3-1': 'x' },
          })
        ).status,
      ).toBe(400);
    });

    it.each([
      ['nothing', {}, 'M_MISSING_PARAM'],
      ['no devices', { one_time_keys: { '@a:b': [] } }, 'M_BAD_JSON'],
      ['no algorithm', { one_time_keys: { '@a:b': { D: {} } } }, 'M_BAD_JSON'],
      ['no user', { one_time_keys: { a: {} } }, 'M_INVALID_PARAM'],
      ['no device', { one_time_keys: { '@a:b': { '': 'a' } } }, 'M_INVALID_PARAM'],
    ])('are refused for %s', async (_, body, errcode) => {
      const answer = await alice.call('POST', '/keys/claim', body);
      expect([answer.status, answer.body.errcode]).toEqual([400, errcode]);
    });
  });

  describe('are counted in /sync', () => {
    it('always, none too, for each device by itself', async () => {
      expect(await told()).toMatchObject({
        device_one_time_keys_count: USED,
        device_unused_fallback_key_types: [],
      });
      await upload({
        one_time_keys: { ...oneTimeKeys('A'), 'x:1': 'y' },
        fallback_keys: { 'signed_curve25519:F': keyOf('F') },
      });
      const now = await told();
      expect(now.device_one_time_keys_count).toEqual({
        signed_curve25519: 1,
        x: 1,
      });
      expect(now.device_unused_fallback_key_types).toEqual(['signed_curve25519']);
      expect(await (await alice.logIn()).sync()).toMatchObject({
        device_one_time_keys_count: USED,
      });
      await claimOne();
      await claimOne();
      const later = await told(now.next_batch);
      expect(later.device_one_time_keys_count).toEqual({
        signed_curve25519: 0,
        x: 1,
      });
      expect(later.device_unused_fallback_key_types).toEqual([]);
      const last = await told(later.next_batch);
      expect(last.device_one_time_keys_count).toEqual({
        signed_curve25519: 0,
        x: 1,
      });
    });

    it('and end a long poll of that device when one is claimed', async () => {
      await upload({ one_time_keys: oneTimeKeys('A') });
      const { next_batch: since } = await told();
      const waiting = alice.sync({ since, timeout: 60_000 });
      await claimOne();
      expect((await waiting).device_one_time_keys_count).toEqual(USED);
    });
  });
});
