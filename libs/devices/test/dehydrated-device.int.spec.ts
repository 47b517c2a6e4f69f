import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { expectSameRowsRebuilt } from '#testing/same-rows-rebuilt';
import { type SyncAnswer, SyncApp, type SyncUser } from '#testing/sync-app';

const PATH = '/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device';
let count = 0;

describe('a dehydrated device', () => {
  let app: SyncApp;
  let alice: SyncUser;
  let bob: SyncUser;
  beforeAll(async () => void (app = await SyncApp.start()));
  afterAll(() => app.close());
  beforeEach(async () => {
    alice = await app.register(`alice${++count}`);
    bob = await app.register(`bob${count}`);
  });

  const bodyOf = (id: string, more: object = {}): object => ({
    device_id: id,
    device_data: {
      algorithm: 'org.matrix.msc3814.v1.olm',
      device_pickle: `pickle of ${id}`,
    },
    initial_device_display_name: 'Dehydrated device',
    device_keys: {
      user_id: alice.userId,
      device_id: id,
      algorithms: ['m.olm.v1.curve25519-aes-sha2'],
      dehydrated: true,
      keys: { [`curve25519:${id}`]: id, [`ed25519:${id}`]: 'ed' },
      signatures: { [alice.userId]: { [`ed25519:${id}`]: 'signature' } },
    },
    one_time_keys: { 'signed_curve25519:A': { key: 'one', signatures: {} } },
    fallback_keys: {
      'signed_curve25519:F': {
        key: 'fallback',
        fallback: true,
        signatures: {},
      },
    },
    ...more,
  });
  const put = (id: string, more: object = {}): Promise<SyncAnswer> => alice.call('PUT', PATH, bodyOf(id, more));
  const send = async (id: string, n: number): Promise<void> => {
    await bob.ok('PUT', `/sendToDevice/m.test/${id.length}-${n}`, {
      messages: { [alice.userId]: { [id]: { n } } },
    });
    await app.settled();
  };
  const events = (id: string, next?: string): Promise<SyncAnswer['body']> =>
    alice.ok('POST', `${PATH}/${encodeURIComponent(id)}/events`, next === undefined ? {} : { next_batch: next });
  const numbers = (answer: SyncAnswer['body']): number[] =>
    answer.events.map(({ content }: { content: { n: number } }) => content.n);
  const refusal = async (answer: Promise<SyncAnswer>): Promise<unknown[]> => {
    const { status, body } = await answer;
    return [status, body.errcode];
  };
  const devices = async (): Promise<string[]> =>
    (await alice.ok('GET', '/devices')).devices.map(({ device_id: id }: { device_id: string }) => id);

  it('is kept with its data and its keys, which others find and claim', async () => {
    expect(await refusal(alice.call('GET', PATH))).toEqual([404, 'M_NOT_FOUND']);
    expect((await put('a/b+c')).body).toEqual({ device_id: 'a/b+c' });
    const { device_data } = bodyOf('a/b+c') as { device_data: object };
    expect(await alice.ok('GET', PATH)).toEqual({
      device_id: 'a/b+c',
      device_data,
    });
    const { device_keys: keys } = await bob.ok('POST', '/keys/query', {
      device_keys: { [alice.userId]: [] },
    });
    expect(keys[alice.userId]['a/b+c']).toMatchObject({ dehydrated: true });
    const claim = {
      one_time_keys: { [alice.userId]: { 'a/b+c': 'signed_curve25519' } },
    };
    const claimed = async (): Promise<object> => (await bob.ok('POST', '/keys/claim', claim)).one_time_keys[alice.userId]['a/b+c']; // prettier-ignore
    expect(await claimed()).toEqual({
      'signed_curve25519:A': { key: 'one', signatures: {} },
    });
    expect(await claimed()).toMatchObject({
      'signed_curve25519:F': { key: 'fallback' },
    });
  });

  it('gets messages, which can be read in batches, and again', async () => {
    await put('dry');
    for (let n = 0; n < 101; n++) await send('dry', n);
    const first = await events('dry');
    expect(numbers(first)).toEqual(Array.from({ length: 100 }, (_, n) => n));
    const second = await events('dry', first.next_batch);
    expect(numbers(second)).toEqual([100]);
    expect(numbers(await events('dry', second.next_batch))).toEqual([]);
    expect(numbers(await events('dry')).length).toBe(100);
    expect(numbers(await events('dry', first.next_batch))).toEqual([100]);
    expect(await refusal(alice.call('POST', `${PATH}/dry/events`, { next_batch: 'x' }))).toEqual([400, 'M_INVALID_PARAM']); // prettier-ignore
    expect(await refusal(alice.call('POST', `${PATH}/other/events`, {}))).toEqual([403, 'M_FORBIDDEN']);
    expect(await refusal(bob.call('POST', `${PATH}/dry/events`, {}))).toEqual([403, 'M_FORBIDDEN']);
  });

  it('is read by GET as the proposal has it by now: no token where there is no more', async () => {
    await put('dry');
    for (let n = 0; n < 4; n++) await send('dry', n);
    const read = (query: string): Promise<SyncAnswer['body']> => alice.ok('GET', `${PATH}/dry/events${query}`);
    const first = await read('?limit=2');
    expect(numbers(first)).toEqual([0, 1]);
    const second = await read(`?from=${first.next_batch}&limit=2`);
    expect([numbers(second), 'next_batch' in second]).toEqual([[2, 3], false]);
    expect(numbers(await read(''))).toEqual([0, 1, 2, 3]);
    for (const query of ['?limit=0', '?limit=x', '?from=x']) {
      expect(await refusal(alice.call('GET', `${PATH}/dry/events${query}`))).toEqual([400, 'M_INVALID_PARAM']);
    }
    expect(await refusal(bob.call('GET', `${PATH}/dry/events`))).toEqual([403, 'M_FORBIDDEN']);
  });

  it('leaves the one before where it is where its keys are refused', async () => {
    await put('old');
    const tooMany = Object.fromEntries(
      Array.from({ length: 2_000 }, (_, i) => [`signed_curve25519:${i}`, { key: 'x'.repeat(100), signatures: {} }]),
    );
    expect(await refusal(put('new', { one_time_keys: tooMany }))).toEqual([413, 'M_TOO_LARGE']);
    const otherKey = {
      one_time_keys: {
        'signed_curve25519:A': { key: 'another', signatures: {} },
      },
    };
    expect(await refusal(put('old', { ...otherKey, device_data: { algorithm: 'x' } }))).toEqual([
      400,
      'M_INVALID_PARAM',
    ]);
    const { device_data } = bodyOf('old') as { device_data: object };
    expect(await alice.ok('GET', PATH)).toEqual({
      device_id: 'old',
      device_data,
    });
    expect(await devices()).not.toContain('new');
  });

  it('takes the place of the one before, with all that waited for that, whose data goes from the log', async () => {
    await put('old');
    await send('old', 1);
    await put('new');
    expect(await devices()).toContain('new');
    expect(await devices()).not.toContain('old');
    expect((await alice.ok('GET', PATH)).device_id).toBe('new');
    expect(await refusal(alice.call('POST', `${PATH}/old/events`, {}))).toEqual([403, 'M_FORBIDDEN']);
    const log = (await app.factsOf(`user-${alice.userId}`)).map(({ data }) => data).join();
    expect(log).toContain('pickle of new');
    expect(log).not.toContain('pickle of old');
    await expectSameRowsRebuilt(app, ['devices', 'inbox']);
  });

  it('is the same where the same is put again', async () => {
    await put('same');
    await send('same', 1);
    expect((await put('same')).status).toBe(200);
    expect(numbers(await events('same'))).toEqual([1]);
  });

  it('goes when it is deleted, by its own path or as any device', async () => {
    await put('one');
    expect(await alice.ok('DELETE', PATH)).toEqual({ device_id: 'one' });
    expect(await refusal(alice.call('DELETE', PATH))).toEqual([404, 'M_NOT_FOUND']);
    expect(await devices()).not.toContain('one');
    await put('two');
    await alice.ok('POST', '/delete_devices', { devices: ['two'], auth: alice.auth });
    expect(await refusal(alice.call('GET', PATH))).toEqual([404, 'M_NOT_FOUND']);
  });

  it('is never another device: one with a session goes on', async () => {
    const { device_id: mine } = await alice.ok('GET', '/account/whoami');
    expect(await refusal(put(mine))).toEqual([400, 'M_INVALID_PARAM']);
    expect(await alice.ok('GET', '/account/whoami')).toMatchObject({
      device_id: mine,
    });
  });

  it.each([
    ['keys of another device', { device_keys: { user_id: '@x:a.example' } }, [400, 'M_BAD_JSON']],
    ['no keys', { device_keys: undefined }, [400, 'M_MISSING_PARAM']],
    ['data that is too large', { device_data: { a: 'x'.repeat(65_536) } }, [413, 'M_TOO_LARGE']],
  ])('is refused with a standard error, and nothing is kept: %s', async (_, more, expected) => {
    expect(await refusal(put('bad', more))).toEqual(expected);
    expect(await devices()).not.toContain('bad');
  });
});
