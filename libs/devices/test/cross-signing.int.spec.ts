import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { Accounts } from '#accounts/accounts';
import { CrossSigning } from '#devices/cross-signing';
import { emptyObject } from '#testing/empty-object';
import { CryptoUser, NamedKey } from '#testing/crypto-user';
import { type SyncAnswer, SyncApp, type SyncUser } from '#testing/sync-app';

describe('cross-signing', () => {
  let app: SyncApp;
  let alice: SyncUser;
  let bob: SyncUser;
  let keys: CryptoUser;
  let bobKeys: CryptoUser;
  let count = 0;
  beforeAll(async () => void (app = await SyncApp.start()));
  afterAll(() => app.close());
  beforeEach(async () => {
    alice = await app.register(`alice${++count}`);
    bob = await app.register(`bob${count}`);
    keys = await cryptoOf(alice);
    bobKeys = await cryptoOf(bob);
  });

  const cryptoOf = async (user: SyncUser): Promise<CryptoUser> => {
    const { device_id: deviceId } = await user.ok('GET', '/account/whoami');
    const crypto = new CryptoUser(user.userId, deviceId);
    await user.ok('POST', '/keys/upload', { device_keys: crypto.deviceKeys() });
    return crypto;
  };
  const set = (body: object, user = alice): Promise<SyncAnswer> =>
    user.call('POST', '/keys/device_signing/upload', body);
  const auth = (user = alice): object => user.auth;
  const sign = async (body: object, user = alice): Promise<SyncAnswer['body']> =>
    (await user.ok('POST', '/keys/signatures/upload', body)).failures;
  const query = async (user: SyncUser, ...of: SyncUser[]): Promise<SyncAnswer['body']> =>
    user.ok('POST', '/keys/query', {
      device_keys: Object.fromEntries(of.map(({ userId }) => [userId, []])),
    });
  const errcodeOf = ({ status, body }: SyncAnswer): readonly unknown[] => [status, body.errcode];

  describe('keys', () => {
    it('are published without a password the first time, and the same again', async () => {
      const uploaded = keys.crossSigningKeys();
      for (let i = 0; i < 2; i++) expect(await set(uploaded)).toEqual({ status: 200, body: {} });
      expect(await set({ master_key: uploaded.master_key })).toEqual({
        status: 200,
        body: {},
      });
      expect(await query(bob, alice)).toMatchObject({
        master_keys: { [alice.userId]: uploaded.master_key },
        self_signing_keys: { [alice.userId]: uploaded.self_signing_key },
        user_signing_keys: emptyObject(),
      });
      expect((await query(alice, alice)).user_signing_keys).toEqual({
        [alice.userId]: uploaded.user_signing_key,
      });
    });

    it('have names that no device has, also where both come at the same moment', async () => {
      const name = keys.selfSigning.publicKey;
      const logIn = (): Promise<SyncAnswer> =>
        app.call('POST', '/_matrix/client/v3/login', undefined, { ...auth(), device_id: name });
      const crossSigning = app.get(CrossSigning);
      const look = crossSigning.look.bind(crossSigning);
      const looking = vi.spyOn(crossSigning, 'look').mockImplementationOnce(async (...of) => {
        const seen = await look(...of);
        expect((await set(keys.crossSigningKeys())).status).toBe(200);
        return seen;
      });
      expect(errcodeOf(await logIn())).toEqual([403, 'M_FORBIDDEN']);
      looking.mockRestore();

      const accounts = app.get(Accounts);
      const lookAtBob = accounts.look.bind(accounts);
      const lookingAtBob = vi.spyOn(accounts, 'look').mockImplementationOnce(async (...of) => {
        const seen = await lookAtBob(...of);
        const login = { ...auth(bob), device_id: bobKeys.selfSigning.publicKey };
        expect((await app.call('POST', '/_matrix/client/v3/login', undefined, login)).status).toBe(200);
        return seen;
      });
      expect(errcodeOf(await set(bobKeys.crossSigningKeys(), bob))).toEqual([403, 'M_FORBIDDEN']);
      lookingAtBob.mockRestore();
    });

    it('have names that no device gets, by a login or dehydrated: who verifies either goes by the name', async () => {
      await set(keys.crossSigningKeys());
      const { publicKey } = keys.selfSigning;
      const login = { ...auth(), device_id: publicKey };
      expect(errcodeOf(await app.call('POST', '/_matrix/client/v3/login', undefined, login))).toEqual([
        403,
        'M_FORBIDDEN',
      ]);
      const dehydrated = {
        device_id: publicKey,
        device_data: {},
        device_keys: new CryptoUser(alice.userId, publicKey).deviceKeys(),
      };
      const path = '/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device';
      expect(errcodeOf(await alice.call('PUT', path, dehydrated))).toEqual([403, 'M_FORBIDDEN']);
      const ofBob = {
        ...login,
        ...(auth(bob) as { identifier: object; password: string }),
      };
      expect((await app.call('POST', '/_matrix/client/v3/login', undefined, ofBob)).status).toBe(200);
    });

    it('are changed, or added to, only with a password', async () => {
      const first = keys.crossSigningKeys();
      await set({ master_key: first.master_key });
      const other = new CryptoUser(alice.userId, 'X').crossSigningKeys();
      for (const body of [{ self_signing_key: first.self_signing_key }, other]) {
        const challenge = await set(body);
        expect([challenge.status, challenge.body.flows]).toEqual([401, [{ stages: ['m.login.password'] }]]);
        expect((await query(bob, alice)).master_keys[alice.userId]).toEqual(first.master_key);
        const { session } = challenge.body;
        expect((await set({ ...body, auth: { ...auth(), password: 'x', session } })).status).toBe(401);
        expect(await set({ ...body, auth: { ...auth(), session } })).toEqual({
          status: 200,
          body: {},
        });
      }
      expect(await query(bob, alice)).toMatchObject({
        master_keys: { [alice.userId]: other.master_key },
      });
    });

    it('are those that the session was begun with, where only the password comes after them', async () => {
      await set(keys.crossSigningKeys());
      const other = new CryptoUser(alice.userId, 'X').crossSigningKeys();
      const { session } = (await set(other)).body;
      expect(await set({ auth: { ...auth(), session } })).toEqual({
        status: 200,
        body: {},
      });
      expect((await query(bob, alice)).master_keys[alice.userId]).toEqual(other.master_key);
    });

    it('of before are gone with another master key, which did not sign them', async () => {
      await set(keys.crossSigningKeys());
      const other = new CryptoUser(alice.userId, 'X').crossSigningKeys();
      await set({ master_key: other.master_key, auth: auth() });
      expect(await query(alice, alice)).toMatchObject({
        self_signing_keys: emptyObject(),
        user_signing_keys: emptyObject(),
      });
    });

    it('must be signed by the master key that comes with them, or is here', async () => {
      const uploaded = keys.crossSigningKeys();
      const other = new CryptoUser(alice.userId, 'X').crossSigningKeys();
      expect(errcodeOf(await set({ self_signing_key: uploaded.self_signing_key }))).toEqual([400, 'M_MISSING_PARAM']);
      expect(errcodeOf(await set({}))).toEqual([400, 'M_MISSING_PARAM']);
      const forged = {
        master_key: uploaded.master_key,
        self_signing_key: other.self_signing_key,
      };
      expect(errcodeOf(await set(forged))).toEqual([400, 'M_INVALID_SIGNATURE']);
      const unsigned = {
        ...uploaded,
        user_signing_key: { ...uploaded.user_signing_key, signatures: {} },
      };
      expect(errcodeOf(await set(unsigned))).toEqual([400, 'M_INVALID_SIGNATURE']);
      expect((await query(bob, alice)).master_keys).toEqual({});
      await set({ master_key: uploaded.master_key });
      expect(errcodeOf(await set({ user_signing_key: other.user_signing_key }))).toEqual([400, 'M_INVALID_SIGNATURE']);
      const { self_signing_key, user_signing_key } = uploaded;
      expect((await set({ self_signing_key, user_signing_key, auth: auth() })).status).toBe(200);
      expect((await query(bob, alice)).self_signing_keys).toEqual({
        [alice.userId]: self_signing_key,
      });
    });

    it('keep of their signatures those that hold, and take none that does not', async () => {
      const signed = keys.device.sign(keys.masterKey(), alice.userId);
      const stranger = new NamedKey().sign(signed, '@stranger:elsewhere.example');
      const forged = bobKeys.device.sign(stranger, alice.userId);
      expect(await set({ master_key: forged })).toEqual({
        status: 200,
        body: {},
      });
      expect((await query(bob, alice)).master_keys[alice.userId]).toEqual(signed);
      const wrong = {
        ...bobKeys.masterKey(),
        signatures: { [bob.userId]: { [bobKeys.device.keyId]: 'AAAA' } },
      };
      expect(errcodeOf(await set({ master_key: wrong }, bob))).toEqual([400, 'M_INVALID_SIGNATURE']);
      expect((await query(bob, bob)).master_keys).toEqual({});
    });

    it.each([
      ['somebody else’s', (key: object) => ({ ...key, user_id: '@x:y' })],
      ['for another use', (key: object) => ({ ...key, usage: ['self_signing'] })],
      ['of no use', (key: object) => ({ ...key, usage: 'master' })],
      [
        'two keys',
        (key: object) => ({
          ...key,
          keys: { 'ed25519:a': 'a', 'ed25519:b': 'b' },
        }),
      ],
      ['no key', (key: object) => ({ ...key, keys: {} })],
      [
        'a key under another name',
        (key: object) => ({
          ...key,
          keys: { 'ed25519:x': new NamedKey().publicKey },
        }),
      ],
      ['a key that is none', (key: object) => ({ ...key, keys: { 'ed25519:x': 'x' } })],
      ['signatures of no form', (key: object) => ({ ...key, signatures: { a: 'b' } })],
      ['no object', () => 'x'],
    ])('are refused where they are %s', async (_, change) => {
      expect(errcodeOf(await set({ master_key: change(keys.masterKey()) }))).toEqual([400, 'M_BAD_JSON']);
    });

    it('are refused under the name of a device', async () => {
      const name = keys.master.publicKey;
      const login = { ...auth(), device_id: name };
      await app.call('POST', '/_matrix/client/v3/login', undefined, login);
      expect(errcodeOf(await set(keys.crossSigningKeys()))).toEqual([403, 'M_FORBIDDEN']);
    });
  });

  describe('signatures', () => {
    beforeEach(async () => {
      await set(keys.crossSigningKeys());
      await set(bobKeys.crossSigningKeys(), bob);
    });

    const signedDevice = (by = keys.selfSigning): object => by.sign(keys.deviceKeys(), alice.userId);

    it('of devices by their owner are told to everybody', async () => {
      expect(await sign({ [alice.userId]: { [keys.deviceId]: signedDevice() } })).toEqual({});
      for (const user of [alice, bob]) {
        const { device_keys: devices } = await query(user, alice);
        expect(devices[alice.userId][keys.deviceId]).toEqual({
          ...signedDevice(),
          unsigned: {},
        });
      }
    });

    it('change nothing where they are here already', async () => {
      const body = { [alice.userId]: { [keys.deviceId]: signedDevice() } };
      for (let i = 0; i < 2; i++) expect(await sign(body)).toEqual({});
      const types = (await app.factsOf(`user-${alice.userId}`)).map(({ type }) => type);
      expect(types.filter((type) => type === 'signatures-added')).toHaveLength(1);
    });

    it('of the own master key by a device are told to everybody, until that is removed', async () => {
      const signed = keys.device.sign(keys.masterKey(), alice.userId);
      expect(await sign({ [alice.userId]: { [keys.master.publicKey]: signed } })).toEqual({});
      expect((await query(bob, alice)).master_keys[alice.userId]).toEqual(signed);
      await (await alice.logIn()).ok('DELETE', `/devices/${keys.deviceId}`, { auth: auth() });
      expect((await query(bob, alice)).master_keys[alice.userId]).toEqual(keys.masterKey());
    });

    it('of others are told to the signer alone', async () => {
      const signed = keys.userSigning.sign(bobKeys.masterKey(), alice.userId);
      expect(await sign({ [bob.userId]: { [bobKeys.master.publicKey]: signed } })).toEqual({});
      expect((await query(alice, bob)).master_keys[bob.userId]).toEqual(signed);
      const carol = await app.register(`carol${count}`);
      for (const user of [bob, carol]) {
        expect((await query(user, bob)).master_keys[bob.userId]).toEqual(bobKeys.masterKey());
      }
    });

    it('say nothing any more once what they cover, or who signed, is another', async () => {
      await sign({ [alice.userId]: { [keys.deviceId]: signedDevice() } });
      const changed = { ...keys.deviceKeys(), algorithms: [] };
      await alice.ok('POST', '/keys/upload', { device_keys: changed });
      const seen = async (): Promise<unknown> => (await query(bob, alice)).device_keys[alice.userId][keys.deviceId];
      expect(await seen()).toEqual({ ...changed, unsigned: {} });
      await alice.ok('POST', '/keys/upload', {
        device_keys: keys.deviceKeys(),
      });
      expect(await seen()).toEqual({ ...signedDevice(), unsigned: {} });
      await set({
        ...new CryptoUser(alice.userId, 'X').crossSigningKeys(),
        auth: auth(),
      });
      expect(await seen()).toEqual({ ...keys.deviceKeys(), unsigned: {} });
    });

    it('that do not hold fail by themselves, and the others are kept', async () => {
      const forged = new NamedKey().sign(bobKeys.masterKey(), alice.userId);
      const wrong = {
        ...keys.masterKey(),
        signatures: { [alice.userId]: { [keys.device.keyId]: 'AAAA' } },
      };
      const failures = await sign({
        [alice.userId]: {
          [keys.deviceId]: signedDevice(),
          [keys.master.publicKey]: wrong,
          X: signedDevice(),
        },
        [bob.userId]: {
          [bobKeys.master.publicKey]: forged,
          [bobKeys.deviceId]: keys.userSigning.sign(bobKeys.deviceKeys(), alice.userId),
        },
      });
      const codes = (of: Record<string, { errcode: string }>): unknown =>
        Object.fromEntries(Object.entries(of).map(([target, { errcode }]) => [target, errcode]));
      expect(codes(failures[alice.userId])).toEqual({
        [keys.master.publicKey]: 'M_INVALID_SIGNATURE',
        X: 'M_NOT_FOUND',
      });
      expect(codes(failures[bob.userId])).toEqual({
        [bobKeys.master.publicKey]: 'M_INVALID_SIGNATURE',
        [bobKeys.deviceId]: 'M_NOT_FOUND',
      });
      expect((await query(bob, alice)).device_keys[alice.userId][keys.deviceId]).toEqual({
        ...signedDevice(),
        unsigned: {},
      });
    });

    it('are refused over a key that is not the one here, or by a key that may not sign it', async () => {
      const other = keys.selfSigning.sign({ ...keys.deviceKeys(), algorithms: ['m.other'] }, alice.userId);
      for (const sent of [other, signedDevice(keys.userSigning), keys.deviceKeys()]) {
        const failures = await sign({
          [alice.userId]: { [keys.deviceId]: sent },
        });
        expect(failures[alice.userId][keys.deviceId].errcode).toBe('M_INVALID_SIGNATURE');
      }
    });

    it('are the same after a restart', async () => {
      await sign({ [alice.userId]: { [keys.deviceId]: signedDevice() } });
      const before = await query(bob, alice);
      await app.restart();
      expect(await query(bob, alice)).toEqual(before);
    });
  });
});
