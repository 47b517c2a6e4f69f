import { generateKeyPairSync, sign } from 'node:crypto';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Client, Homeserver } from './support/homeserver.js';
import { describeWithStores } from './support/stores.js';

// Servers are killed and started.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 120_000 });

const KILLS = 3;
const ALGORITHM = 'signed_curve25519';
const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** An Ed25519 key that signs the JSON of objects whose keys are in order, as clients do. */
class Signer {
  readonly #pair = generateKeyPairSync('ed25519');
  readonly publicKey = this.#pair.publicKey
    .export({ format: 'der', type: 'spki' })
    .subarray(-32)
    .toString('base64')
    .replace(/=+$/, '');

  sign<T extends object>(object: T, userId: string): T & { signatures: object } {
    const signature = sign(null, Buffer.from(JSON.stringify(object)), this.#pair.privateKey);
    const text = signature.toString('base64').replace(/=+$/, '');
    return { ...object, signatures: { [userId]: { [`ed25519:${this.publicKey}`]: text } } };
  }
}

describeWithStores('the keys of devices', (stores) => {
  let server: Homeserver;
  let alice: Client;
  let bob: Client;

  beforeAll(async () => {
    server = await Homeserver.start(stores);
    alice = await server.register('alice');
    bob = await server.register('bob');
  });
  afterAll(() => server.remove());

  /** The body of an answer with 200; undefined where the server is gone meanwhile. */
  const tryTo = async (user: Client, path: string, body: object): Promise<Record<string, never> | undefined> => {
    try {
      const { status, body: answer } = await user.request('POST', path, body);
      if (status === 200) return answer;
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // what `fetch` throws where there is no answer
    }
    await pause(50);
    return undefined;
  };
  const claim = async (): Promise<string | undefined> => {
    const body = { one_time_keys: { [alice.userId]: { [alice.deviceId]: ALGORITHM } } };
    const answer = await tryTo(bob, '/keys/claim', body);
    const keys = answer?.['one_time_keys']?.[alice.userId]?.[alice.deviceId] ?? {};
    return Object.keys(keys)[0];
  };

  test('are each given out once, while the server is killed and all is sent again', async () => {
    const uploaded = new Set<string>();
    const given: string[] = [];
    const talk = { isOver: false };
    const upload = async (): Promise<void> => {
      // What may have been taken is sent until that is answered.
      for (let n = 0, isAnswered = true; !talk.isOver || !isAnswered;) {
        const names = Array.from({ length: 10 }, (_, i) => `${ALGORITHM}:${String(n + i).padStart(5, '0')}`);
        const keys = Object.fromEntries(names.map((name) => [name, { key: `key of ${name}`, signatures: {} }]));
        isAnswered = (await tryTo(alice, '/keys/upload', { one_time_keys: keys })) !== undefined;
        if (!isAnswered) continue;
        for (const name of names) uploaded.add(name);
        n += 10;
        await pause(20);
      }
    };
    const take = async (): Promise<void> => {
      while (!talk.isOver) {
        const name = await claim();
        if (name === undefined) await pause(10);
        else given.push(name);
      }
    };
    const all = [upload(), take(), take(), take()];
    for (let kill = 0; kill < KILLS; kill++) {
      const before = given.length;
      await vi.waitFor(() => expect(given.length).toBeGreaterThan(before + 30), { timeout: 60_000 });
      await server.end('SIGKILL');
      await server.start();
    }
    talk.isOver = true;
    await Promise.all(all);
    const { device_one_time_keys_count: counts } = await alice.sync();
    let left = 0;
    for (let name = await claim(); name !== undefined; name = await claim(), left++) given.push(name);
    expect(left).toBe(counts[ALGORITHM]);
    expect(new Set(given).size).toBe(given.length);
    // Some were claimed and the answer was lost; none comes that nobody uploaded.
    expect(given.filter((name) => !uploaded.has(name))).toEqual([]);
    expect(given.length).toBeGreaterThan(uploaded.size - KILLS * 10);
  });

  test('and what was signed, counted and changed is the same without the views of before', async () => {
    const room = await alice.createRoom({ preset: 'public_chat' });
    await bob.ok('POST', `/join/${encodeURIComponent(room)}`, {});
    const { next_batch: from } = await bob.sync();
    const { userId, deviceId } = alice;
    const [master, selfSigning] = [new Signer(), new Signer()];
    const keys = (signer: Signer): object => ({ [`ed25519:${signer.publicKey}`]: signer.publicKey });
    await alice.ok('POST', '/keys/device_signing/upload', {
      master_key: { keys: keys(master), usage: ['master'], user_id: userId },
      self_signing_key: master.sign({ keys: keys(selfSigning), usage: ['self_signing'], user_id: userId }, userId),
    });
    const device = {
      algorithms: ['m.megolm.v1.aes-sha2'],
      device_id: deviceId,
      keys: { [`ed25519:${deviceId}`]: 'x' },
    };
    const deviceKeys = { ...device, user_id: userId };
    await alice.ok('POST', '/keys/upload', {
      device_keys: { ...deviceKeys, signatures: {} },
      one_time_keys: { 'curve25519:A': 'a', 'curve25519:B': 'b' },
      fallback_keys: { 'curve25519:F': 'f' },
    });
    const signed = selfSigning.sign(deviceKeys, userId);
    const sent = await alice.ok('POST', '/keys/signatures/upload', { [userId]: { [deviceId]: signed } });
    expect(sent).toEqual({ failures: {} });
    const { next_batch: to } = await bob.sync();
    const look = async (): Promise<object> => ({
      query: await bob.ok('POST', '/keys/query', { device_keys: { [userId]: [] } }),
      changes: await bob.ok('GET', `/keys/changes?${new URLSearchParams({ from, to })}`),
      told: (({ device_one_time_keys_count, device_unused_fallback_key_types }) => ({
        device_one_time_keys_count,
        device_unused_fallback_key_types,
      }))(await alice.sync()),
    });
    const before = await look();
    expect(before).toMatchObject({
      query: {
        device_keys: { [userId]: { [deviceId]: signed } },
        self_signing_keys: { [userId]: { keys: keys(selfSigning) } },
      },
      changes: { changed: [userId], left: [] },
      told: { device_one_time_keys_count: { curve25519: 2 }, device_unused_fallback_key_types: ['curve25519'] },
    });
    await server.end('SIGKILL');
    server.removeViews();
    await server.start();
    expect(await look()).toEqual(before);
  });
});
