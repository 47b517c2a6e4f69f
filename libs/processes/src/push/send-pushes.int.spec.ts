import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CommandBus } from '@nestjs/cqrs';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { RestrictAccount } from '#accounts/commands/restrict-account';
import type { UserId } from '#kernel/ids';
import { Pushers } from '#push/pushers';
import { decideBehind } from '#push/pushers/decide-pushers';
import { listPushers } from '#push/queries/list-pushers';
import { GATEWAY_AUTHORITY, type Notification, PushGateway, pusherAt } from '#testing/push-gateway';
import { roomPath, SyncApp, type SyncUser } from '#testing/sync-app';

let directory: string;
let app: SyncApp;
let gateway: PushGateway;
let alice: SyncUser;
let bob: SyncUser;
let roomId: string;
let counter = 0;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'annals-push-'));
  const authority = join(directory, 'authority.pem');
  writeFileSync(authority, GATEWAY_AUTHORITY.certificate);
  // What other servers may be users' gateways may not be, but for those that the operator names.
  const outgoing = {
    ANNALS_TLS_CA: authority,
    ANNALS_FEDERATION_ALLOW_PRIVATE: 'true',
    ANNALS_PUSH_PRIVATE_GATEWAYS: '127.0.0.1',
  };
  app = await SyncApp.start(undefined, { ...outgoing, ANNALS_PRESENCE: 'on' });
});
afterAll(async () => {
  await app.close();
  rmSync(directory, { recursive: true, force: true });
});
beforeEach(async () => {
  gateway = await PushGateway.start();
  counter++;
  [alice, bob] = [await app.register(`alice${counter}`), await app.register(`bob${counter}`)];
  roomId = await bob.createRoom({ preset: 'public_chat', name: 'The pub' });
  await alice.join(roomId);
  return () => gateway.close();
});

const set = (user: SyncUser, more: object = {}): Promise<unknown> =>
  user.ok('POST', '/pushers/set', pusherAt(gateway.url, { pushkey: `key of ${user.userId}`, ...more }));
const read = (user: SyncUser, eventId: string): Promise<unknown> =>
  user.ok('POST', `${roomPath(roomId)}/receipt/m.read/${eventId}`, {});
const toldOf = (eventId: string): Notification | undefined => gateway.told.find((one) => one.event_id === eventId);
/** All that comes before a later event has come. */
async function said(user: SyncUser, body: string, content: object = {}): Promise<string> {
  const eventId = await user.send(roomId, body, content);
  await expect.poll(() => gateway.events).toContain(eventId);
  return eventId;
}

const restrict = (userId: UserId, how: 'locked' | 'suspended', isOn: boolean): Promise<unknown> =>
  app.get(CommandBus).execute(new RestrictAccount(userId, how, isOn, { actor: userId }));
/** Has the log say that each gateway is owed something of a user. */
const owe = (userId: UserId): Promise<unknown> =>
  app
    .get(Pushers)
    .change(userId, { actor: userId }, (known) =>
      [...known.values()].flatMap((pusher) => decideBehind(known, pusher, true)),
    );
const isBehind = async (userId: UserId): Promise<boolean> =>
  (await listPushers(app.views, userId)).some(({ behind }) => behind === true);

describe('a gateway', () => {
  it('is told of an event all that it may know, and of nothing that the user wrote', async () => {
    await bob.ok('PUT', `/profile/${bob.userId}/displayname`, { displayname: 'Bob' });
    await set(alice, { data: { url: gateway.url, own: { payload: 1 } } });
    await alice.send(roomId, 'of my own');
    const eventId = await said(bob, 'hello');
    expect(gateway.events).toEqual([eventId]);
    expect(toldOf(eventId)).toEqual({
      id: eventId,
      event_id: eventId,
      room_id: roomId,
      type: 'm.room.message',
      sender: bob.userId,
      sender_display_name: 'Bob',
      room_name: 'The pub',
      prio: 'high',
      content: { msgtype: 'm.text', body: 'hello' },
      counts: { unread: 1 },
      devices: [
        {
          app_id: 'org.example.app',
          pushkey: `key of ${alice.userId}`,
          pushkey_ts: expect.any(Number),
          data: { own: { payload: 1 } },
          tweaks: { sound: 'default' },
        },
      ],
    });
  });

  it('is told no more than the id and the number where that is wanted, in one request with those who want the same', async () => {
    const data = { url: gateway.url, format: 'event_id_only' };
    await set(alice, { data });
    await set(alice, { data, app_id: 'other' });
    await set(alice, { pushkey: 'whole' });
    const eventId = await bob.send(roomId, 'hello');
    await expect.poll(() => gateway.events).toEqual([eventId, eventId]);
    const short = gateway.told.find(({ type }) => type === undefined)!;
    expect(short).toEqual({
      event_id: eventId,
      room_id: roomId,
      prio: 'high',
      counts: { unread: 1 },
      devices: [expect.anything(), expect.anything()],
    });
    for (const device of short.devices)
      expect(Object.keys(device)).toEqual(['app_id', 'pushkey', 'pushkey_ts', 'data']);
  });

  it('is told nothing of whose account is locked, and of whose account is suspended all', async () => {
    const userId = alice.userId as UserId;
    const carol = await app.register(`carol${counter}`);
    await carol.join(roomId);
    await set(alice);
    await set(carol);
    await restrict(userId, 'locked', true);
    const untold = await bob.send(roomId, 'nobody may read it by that account');
    await bob.createRoom({ name: 'A party', invite: [userId] });
    await said(bob, 'what carol is told, too');
    const keys = (): unknown[] => gateway.told.flatMap(({ devices }) => devices.map(({ pushkey }) => pushkey));
    expect(new Set(keys())).toEqual(new Set([`key of ${carol.userId}`]));
    await restrict(userId, 'locked', false);
    await restrict(userId, 'suspended', true);
    const told = await said(bob, 'they may again');
    await expect.poll(keys).toContain(`key of ${userId}`);
    const ofAlice = gateway.told.filter(({ devices }) => devices.some(({ pushkey }) => pushkey === `key of ${userId}`));
    expect(ofAlice).toMatchObject([{ event_id: told, counts: { unread: 4 } }]);
    expect(toldOf(untold)).toBeDefined();
  });

  it('is told that nothing is unread once all is read elsewhere, and how much is left until then', async () => {
    await set(alice);
    const first = await said(bob, 'one');
    const second = await said(bob, 'two');
    expect(gateway.unread).toBe(2);
    await read(alice, first);
    await expect.poll(() => gateway.unread).toBe(1);
    await read(alice, second);
    await expect.poll(() => gateway.unread).toBe(0);
    expect(gateway.told.at(-1)).toEqual({ prio: 'low', counts: { unread: 0 }, devices: [expect.anything()] });
    await said(bob, 'three');
    await alice.send(roomId, 'who answers has read');
    await expect.poll(() => gateway.unread).toBe(0);
  });

  it('is told the number that /sync tells, of all rooms, with invitations', async () => {
    await set(alice);
    const other = await bob.createRoom({ preset: 'public_chat' });
    await alice.join(other);
    await bob.send(other, 'in another room');
    await bob.createRoom({ invite: [alice.userId] });
    await said(bob, 'the third');
    await expect.poll(() => gateway.unread).toBe(3);
    const { rooms } = await alice.sync();
    const counts = Object.values<{ unread_notifications: { notification_count: number } }>(rooms.join);
    expect(counts.map(({ unread_notifications: { notification_count: count } }) => count)).toEqual([1, 1]);
  });

  it('is told of invitations, and who they are for', async () => {
    await set(alice);
    const invited = await bob.createRoom({ name: 'A party', invite: [alice.userId] });
    await expect.poll(() => gateway.told).toHaveLength(1);
    const names = { room_name: 'A party', sender: bob.userId, type: 'm.room.member' };
    expect(gateway.told[0]).toMatchObject({ ...names, room_id: invited, membership: 'invite', user_is_target: true });
    expect(gateway.told[0]).toMatchObject({ prio: 'high', counts: { unread: 1 } });
    await alice.leave(invited);
    await expect.poll(() => gateway.unread).toBe(0);
  });

  it('is told nothing of what is muted, of whom the user ignores, and of what was redacted', async () => {
    await set(alice);
    await said(bob, 'before');
    await alice.ok('PUT', `/pushrules/global/room/${roomId}`, { actions: [] });
    await bob.send(roomId, 'muted');
    await alice.ok('DELETE', `/pushrules/global/room/${roomId}`);
    await said(bob, 'heard');
    const carol = await app.register(`carol${counter}`);
    await carol.join(roomId);
    const ignored = { ignored_users: { [carol.userId]: {} } };
    await alice.ok('PUT', `/user/${alice.userId}/account_data/m.ignored_user_list`, ignored);
    await carol.send(roomId, 'ignored');
    await carol.createRoom({ invite: [alice.userId] });
    const last = await said(bob, 'last');
    const bodies = gateway.told.flatMap(({ content }) => (content as { body?: string } | undefined)?.body ?? []);
    expect(bodies).toEqual(['before', 'heard', 'last']);
    const count = gateway.unread!;
    await bob.ok('PUT', `${roomPath(roomId)}/redact/${last}/t${counter}`, {});
    await expect.poll(() => gateway.unread).toBe(count - 1);
  });

  it('is told how much an event matters', async () => {
    const carol = await app.register(`carol${counter}`);
    await carol.join(roomId);
    await set(alice);
    expect(toldOf(await said(bob, 'by the way'))).toMatchObject({ prio: 'low', devices: [{ tweaks: {} }] });
    const mention = await said(bob, 'you', { 'm.mentions': { user_ids: [alice.userId] } });
    const tweaks = { sound: 'default', highlight: true };
    expect(toldOf(mention)).toMatchObject({ prio: 'high', devices: [{ tweaks }] });
  });

  it('is told nothing for a pusher that is switched off, and no number for one that counts by itself', async () => {
    await set(alice, { 'org.matrix.msc3881.enabled': false });
    await bob.send(roomId, 'nobody hears');
    await set(alice, {
      'org.matrix.msc3881.enabled': true,
      data: { url: gateway.url, 'org.matrix.msc4076.disable_badge_count': true },
    });
    const heard = await said(bob, 'heard');
    expect(gateway.events).toEqual([heard]);
    expect(toldOf(heard)).not.toHaveProperty('counts');
    await read(alice, heard);
    const after = await said(bob, 'after');
    expect(gateway.told.map(({ event_id: id }) => id)).toEqual([heard, after]);
  });

  it('that rejects a pushkey hears of it no more', async () => {
    await set(alice);
    await set(bob);
    gateway.answer = () => ({ body: { rejected: [`key of ${alice.userId}`] } });
    await said(bob, 'hello');
    await expect.poll(async () => (await alice.ok('GET', '/pushers')).pushers).toEqual([]);
    const answer = await said(alice, 'hello yourself');
    expect(gateway.events).toHaveLength(2);
    expect(toldOf(answer)!.devices).toMatchObject([{ pushkey: `key of ${bob.userId}` }]);
    expect((await bob.ok('GET', '/pushers')).pushers).toHaveLength(1);
  });

  it('that fails is told again, in order, and holds up nobody else', async () => {
    const other = await PushGateway.start();
    try {
      await set(alice);
      await bob.ok('POST', '/pushers/set', pusherAt(other.url, { pushkey: 'of bob' }));
      gateway.answer = () => ({ status: 502 });
      const carol = await app.register(`carol${counter}`);
      await carol.join(roomId);
      const first = await carol.send(roomId, 'one');
      const second = await carol.send(roomId, 'two');
      await expect.poll(() => other.events).toEqual([first, second]);
      gateway.answer = () => ({});
      await expect.poll(() => gateway.events).toEqual([first, second]);
    } finally {
      await other.close();
    }
  });

  it('is told what rules say that take a while, and meanwhile what those of others say', async () => {
    const heavy = await app.register(`aaron${counter}`);
    await heavy.join(roomId);
    await heavy.ok('PUT', `/pushrules/global/room/${roomId}`, { actions: [] });
    for (let i = 0; i < 30; i++) {
      const pattern = `${'*a'.repeat(200)}${i}`;
      await heavy.ok('PUT', `/pushrules/global/content/${i}`, { pattern, actions: ['notify'] });
    }
    await heavy.ok('PUT', '/pushrules/global/content/cake', { pattern: 'cake', actions: ['notify'] });
    await set(heavy);
    await set(alice);
    await bob.send(roomId, 'nothing to them');
    const eventId = await bob.send(roomId, `${'a '.repeat(20_000)}cake`, { format: 'none' });
    await expect.poll(() => gateway.told).toHaveLength(3);
    const toldTo = ({ userId }: SyncUser): unknown[] =>
      gateway.told.filter(({ devices }) => devices[0]!.pushkey === `key of ${userId}`);
    expect(toldTo(alice)).toMatchObject([{}, { event_id: eventId }]);
    expect(toldTo(heavy)).toMatchObject([{ event_id: eventId, counts: { unread: 1 } }]);
  });

  it('is told of threads that the user follows, and of no others', async () => {
    await set(alice);
    const [followed, other] = [await said(bob, 'a root'), await said(bob, 'another root')];
    const pathOf = (root: string): string =>
      `/_matrix/client/unstable/io.element.msc4306${roomPath(roomId)}/thread/${encodeURIComponent(root)}/subscription`;
    await alice.ok('PUT', pathOf(followed), {});
    const isOn = async (): Promise<unknown> => alice.ok('GET', '/pushrules/global/postcontent/');
    await expect.poll(isOn).toMatchObject([{ enabled: true }, { enabled: true }]);
    const inThread = (root: string): object => ({ 'm.relates_to': { rel_type: 'm.thread', event_id: root } });
    await bob.send(roomId, 'unheard', inThread(other));
    const heard = await said(bob, 'heard', inThread(followed));
    expect(gateway.events).toEqual([followed, other, heard]);
  });

  it('is told of nothing that came before the user was in the room', async () => {
    const late = await app.register(`late${counter}`);
    await set(late);
    await bob.send(roomId, 'before');
    await late.join(roomId);
    const after = await said(bob, 'after');
    expect(gateway.events).toEqual([after]);
    expect(gateway.unread).toBe(1);
  });

  it('is not told of what is read meanwhile on a device in use, where the user wants it so', async () => {
    const settings = { hold_back_while_active: true };
    await alice.ok('PUT', `/user/${alice.userId}/account_data/dev.annals.push`, settings);
    await set(alice);
    await alice.ok('PUT', `/presence/${alice.userId}/status`, { presence: 'online' });
    const first = await bob.send(roomId, 'one');
    await read(alice, first);
    await alice.ok('PUT', `/user/${alice.userId}/account_data/dev.annals.push`, {});
    const second = await said(bob, 'two');
    expect(gateway.events).toEqual([second]);
  });

  it('is told what the rules for the profile tag of a pusher say, above all others', async () => {
    await set(alice, { profile_tag: 'work' });
    await set(alice, { profile_tag: 'home', app_id: 'home' });
    await alice.v1('PUT', `/pushrules/device/work/room/${roomId}`, { actions: ['dont_notify'] });
    const first = await said(bob, 'one');
    expect(toldOf(first)!.devices).toMatchObject([{ app_id: 'home' }]);
    await alice.ok('PUT', `/pushrules/global/room/${roomId}`, { actions: [] });
    const loud = { actions: ['notify', { set_tweak: 'sound', value: 'bell' }] };
    await alice.v1('PUT', `/pushrules/device/work/room/${roomId}`, loud);
    const second = await said(bob, 'two');
    expect(toldOf(second)!.devices).toMatchObject([{ app_id: 'org.example.app', tweaks: { sound: 'bell' } }]);
    // It is counted by the rules for all.
    expect(toldOf(second)!.counts).toEqual({ unread: 0 });
  });

  it('is told nothing that was read before it could be, also where only the rules for a profile tag let it', async () => {
    await set(alice, { profile_tag: 'work' });
    await alice.ok('PUT', `/pushrules/global/room/${roomId}`, { actions: [] });
    await alice.v1('PUT', `/pushrules/device/work/room/${roomId}`, { actions: ['notify'] });
    let asked = 0;
    gateway.answer = () => ({ status: asked++ < 1 ? 502 : 200 });
    const first = await bob.send(roomId, 'one');
    await expect.poll(() => asked).toBe(1);
    await read(alice, first);
    const second = await said(bob, 'two');
    expect(gateway.events).toEqual([second]);
  });

  it('is told once what it was owed of a user, whatever pushers it serves, and knows that number then', async () => {
    await set(alice);
    await set(alice, { app_id: 'other' });
    const eventId = await said(bob, 'hello');
    const userId = alice.userId as UserId;
    await owe(userId);
    gateway.told.length = 0;
    await app.restart();
    await expect.poll(() => isBehind(userId)).toBe(false);
    await app.settled();
    expect(gateway.told).toMatchObject([{ event_id: eventId, devices: [{}, {}] }]);
    await bob.ok('PUT', `${roomPath(roomId)}/redact/${eventId}/t${counter}`, {});
    await expect.poll(() => gateway.unread).toBe(0);
  });

  it('is owed nothing of whose account is locked at a start, nor at a later one', async () => {
    await set(alice);
    await said(bob, 'hello');
    const userId = alice.userId as UserId;
    await owe(userId);
    await restrict(userId, 'locked', true);
    await app.restart();
    await expect.poll(() => isBehind(userId)).toBe(false);
    await restrict(userId, 'locked', false);
    const told = await said(bob, 'they may again');
    await expect.poll(() => gateway.events).toContain(told);
    gateway.told.length = 0;
    await app.restart();
    await app.settled();
    expect(gateway.told).toEqual([]);
  });

  it('that is on a private network is spoken to only where the operator named it', async () => {
    const url = gateway.url.replace('127.0.0.1', 'localhost');
    await bob.ok('POST', '/pushers/set', pusherAt(url, { pushkey: 'of bob' }));
    await set(alice);
    const carol = await app.register(`carol${counter}`);
    await carol.join(roomId);
    await said(carol, 'hello');
    await said(carol, 'again');
    expect(gateway.told.flatMap(({ devices }) => devices.map(({ pushkey }) => pushkey))).not.toContain('of bob');
  });
});
