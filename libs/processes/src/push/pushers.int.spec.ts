import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { DeviceId, UserId } from '#kernel/ids';
import { Pushers } from '#push/pushers';
import { decidePusher } from '#push/pushers/decide-pushers';
import { SyncApp, type SyncUser } from '#testing/sync-app';

const URL = 'https://push.example.org/_matrix/push/v1/notify';
const PUSHER = {
  app_id: 'org.example.app',
  pushkey: 'a key',
  kind: 'http',
  app_display_name: 'App',
  device_display_name: 'A phone',
  profile_tag: 'tag',
  lang: 'en',
  data: { url: URL, format: 'event_id_only', more: { x: 1 } },
};

let app: SyncApp;
let alice: SyncUser;
let counter = 0;
beforeAll(async () => void (app = await SyncApp.start()));
afterAll(() => app.close());
beforeEach(async () => void (alice = await app.register(`alice${++counter}`)));

// oxlint-disable-next-line typescript/no-explicit-any
const listOf = async (user: SyncUser): Promise<any[]> => (await user.ok('GET', '/pushers')).pushers;
const set = (user: SyncUser, more: object = {}) => user.ok('POST', '/pushers/set', { ...PUSHER, ...more });
const refusalOf = async (body: object): Promise<unknown[]> => {
  const { status, body: answer } = await alice.call('POST', '/pushers/set', body);
  return [status, answer.errcode, String(answer.error).split(':')[0]];
};

describe('pushers', () => {
  it('are told as they were set, with what MSC3881 says of them', async () => {
    expect(await listOf(alice)).toEqual([]);
    expect(await set(alice)).toEqual({});
    const device = (await alice.ok('GET', '/account/whoami')).device_id;
    const own = { 'org.matrix.msc3881.enabled': true, 'org.matrix.msc3881.device_id': device };
    expect(await listOf(alice)).toEqual([{ ...PUSHER, ...own }]);
    await set(alice, { lang: 'fr', profile_tag: undefined });
    const { profile_tag: _, ...untagged } = PUSHER;
    expect(await listOf(alice)).toEqual([{ ...untagged, ...own, lang: 'fr' }]);
    await set(alice, { pushkey: 'another key' });
    expect(await listOf(alice)).toHaveLength(2);
    const { app_id, pushkey } = PUSHER;
    await alice.ok('POST', '/pushers/set', { app_id, pushkey, kind: null });
    await alice.ok('POST', '/pushers/set', { app_id, pushkey, kind: null });
    expect(await listOf(alice)).toMatchObject([{ pushkey: 'another key' }]);
  });

  it('are set in API v1 too, also under a transaction id', async () => {
    expect((await alice.v1('POST', '/pushers/set', PUSHER)).body).toEqual({});
    expect((await alice.v1('PUT', '/pushers/set/7', { ...PUSHER, pushkey: 'other' })).body).toEqual({});
    expect(await listOf(alice)).toHaveLength(2);
    await alice.v1('POST', '/pushers/set', { ...PUSHER, pushkey: 'other', kind: null });
    // The same request once more is no other one.
    expect((await alice.v1('PUT', '/pushers/set/7', { ...PUSHER, pushkey: 'other' })).body).toEqual({});
    expect(await listOf(alice)).toHaveLength(1);
    const refused = { status: 400, body: { errcode: 'M_INVALID_PARAM' } };
    const tagged = { ...PUSHER, profile_tag: 'x'.repeat(33) };
    expect(await alice.v1('POST', '/pushers/set', tagged)).toMatchObject(refused);
    expect(await alice.v1('PUT', '/pushers/set/8', tagged)).toMatchObject(refused);
    // Today's API knows no limit.
    await set(alice, tagged);
  });

  it('are switched off and on from another device', async () => {
    await set(alice);
    const laptop = await alice.logIn();
    const [pusher] = await listOf(laptop);
    await laptop.ok('POST', '/pushers/set', { ...pusher, 'org.matrix.msc3881.enabled': false });
    expect(await listOf(alice)).toEqual([{ ...pusher, 'org.matrix.msc3881.enabled': false }]);
  });

  it('go with the device whose they are, and with no other', async () => {
    const phone = await alice.logIn();
    await set(phone);
    await set(alice, { pushkey: 'mine' });
    await phone.ok('POST', '/logout', {});
    await expect.poll(() => listOf(alice)).toMatchObject([{ pushkey: 'mine' }]);
  });

  it('go with their device also where the clock was ahead as they were set', async () => {
    const laptop = await alice.logIn();
    const ahead = Date.now() + 86_400_000;
    const clock = vi.spyOn(Date, 'now').mockReturnValue(ahead);
    await set(laptop, { pushkey: 'set tomorrow' });
    clock.mockRestore();
    await set(alice);
    expect((await listOf(alice)).map(({ pushkey }) => pushkey).toSorted()).toEqual(['a key', 'set tomorrow']);
    await laptop.ok('POST', '/logout', {});
    await expect.poll(() => listOf(alice)).toMatchObject([{ pushkey: 'a key' }]);
  });

  it('go where they were set behind the end of their device, and by no device stay', async () => {
    const phone = await alice.logIn();
    const gone = (await phone.ok('GET', '/account/whoami')).device_id as DeviceId;
    await phone.ok('POST', '/logout', {});
    await app.settled();
    // As the door does, for a request that was let in before.
    const [userId, how] = [alice.userId as UserId, { now: Date.now(), alone: false, isShared: false }];
    const setBy = (device_id: string, pushkey: string): Promise<boolean> => {
      const wanted = {
        ...PUSHER,
        kind: 'http' as const,
        enabled: undefined,
        pushkey,
        device_id: device_id as DeviceId,
      };
      return app.get(Pushers).change(userId, { actor: userId }, (known) => decidePusher(known, wanted, how));
    };
    await setBy('', 'of a service');
    await set(alice, { pushkey: 'mine' });
    await setBy(gone, 'late');
    await expect
      .poll(async () => (await listOf(alice)).map(({ pushkey }) => pushkey))
      .toEqual(['mine', 'of a service']);
    await app.settled();
    expect(await listOf(alice)).toHaveLength(2);
  });

  it('go with the account, and from the log', async () => {
    await set(alice);
    await alice.close();
    const types = async () => (await app.factsOf(`pushers-${alice.userId}`)).map(({ type }) => type);
    await expect.poll(types).toEqual(['pushers-ended']);
    await app.settled();
    expect(await app.views.scan('pushers', { prefix: [alice.userId], limit: 1 })).toEqual([]);
  });

  it('are of one user alone, unless somebody appends theirs', async () => {
    const bob = await app.register(`bob${counter}`);
    await set(alice);
    await set(bob, { append: true });
    expect([await listOf(alice), await listOf(bob)]).toMatchObject([[{}], [{}]]);
    await set(alice);
    await expect.poll(() => listOf(bob)).toEqual([]);
    expect(await listOf(alice)).toHaveLength(1);
    await set(bob);
    await expect.poll(() => listOf(alice)).toEqual([]);
    expect(await listOf(bob)).toHaveLength(1);
  });

  it.each([
    [{ app_id: undefined }, 'M_MISSING_PARAM', 'app_id'],
    [{ pushkey: 7 }, 'M_BAD_JSON', 'pushkey'],
    [{ kind: undefined }, 'M_MISSING_PARAM', 'kind'],
    [{ kind: 'pigeon' }, 'M_INVALID_PARAM', 'kind'],
    [{ lang: undefined }, 'M_MISSING_PARAM', 'lang'],
    [{ app_display_name: null }, 'M_MISSING_PARAM', 'app_display_name'],
    [{ device_display_name: 'x'.repeat(2_000) }, 'M_INVALID_PARAM', 'device_display_name'],
    [{ data: undefined }, 'M_MISSING_PARAM', 'data'],
    [{ data: { url: URL, x: 'x'.repeat(20_000) } }, 'M_INVALID_PARAM', 'data'],
    [{ data: {} }, 'M_MISSING_PARAM', 'data.url'],
    [{ data: { url: 'http://push.example.org/_matrix/push/v1/notify' } }, 'M_INVALID_PARAM', 'data.url'],
    [{ data: { url: 'https://push.example.org/elsewhere' } }, 'M_INVALID_PARAM', 'data.url'],
    [{ data: { url: 'https://a:b@push.example.org/_matrix/push/v1/notify' } }, 'M_INVALID_PARAM', 'data.url'],
    [{ data: { url: 'no url' } }, 'M_INVALID_PARAM', 'data.url'],
    [{ data: { url: URL, format: 1 } }, 'M_BAD_JSON', 'data.format'],
    [{ app_id: 'x'.repeat(65) }, 'M_INVALID_PARAM', 'app_id'],
    [{ pushkey: 'é'.repeat(257) }, 'M_INVALID_PARAM', 'pushkey'],
    [{ append: 'yes' }, 'M_BAD_JSON', 'append'],
    [{ 'org.matrix.msc3881.enabled': 1 }, 'M_BAD_JSON', 'org.matrix.msc3881.enabled'],
  ])('are refused where they are wrong: %j', async (more, errcode, key) => {
    expect(await refusalOf({ ...PUSHER, ...more })).toEqual([400, errcode, key]);
    expect(await listOf(alice)).toEqual([]);
  });
});
