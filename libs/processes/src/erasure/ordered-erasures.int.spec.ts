import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CommandBus } from '@nestjs/cqrs';
import { BY_SERVER } from '#accounts/accounts';
import { DeactivateAccount } from '#accounts/commands/deactivate-account';
import { ErasureAdministration } from '#admin/erasures/erasure-administration';
import { erasureListIn, readErasureList } from '#admin/erasures/erasure-list';
import { type Erasure, type ErasureProgress, Erasures } from '#admin/erasures/erasures';
import { ErasuresAgain } from '#admin/erasures/erasures-again';
import { PresenceLists } from '#ephemeral/lists/presence-lists';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import { verifyChain } from '#event-store/seal-facts';
import type { RoomId, UserId } from '#kernel/ids';
import { parseVerifyKey } from '#protocol/signing/signing-key';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import { RoomVerifier } from '#rooms/audit/verify-room';
import { ForkedRoom, OTHER_SERVER } from '#testing/forked-room';
import { TEST_AUTHOR } from '#testing/local-room';
import { roomPath, SyncApp, type SyncUser } from '#testing/sync-app';
import { expectSameRowsRebuilt } from '#testing/same-rows-rebuilt';
import { ErasableAccounts } from './erasable-accounts.js';
import { KeptOfUser } from './kept-of-user.js';

const SECRET = 'quixotic';
const REBUILT = ['timeline', 'room-state', 'membership', 'graph', 'room-summary', 'relations', 'accounts'];
const MINUTE = 60_000;
const LATEST = findRoomVersion('12')!;

let app: SyncApp;
let alice: SyncUser;
let bob: SyncUser;
let room: RoomId;
let sent: string[];

beforeEach(async () => {
  app = await SyncApp.start();
  [alice, bob] = [await app.register('alice'), await app.register('bob')];
  room = (await bob.createRoom({ preset: 'public_chat', name: 'Kitchen' })) as RoomId;
  await alice.ok('PUT', `/profile/${alice.userId}/displayname`, { displayname: `Alice the ${SECRET}` });
  await bob.ok('POST', `${roomPath(room)}/invite`, { user_id: alice.userId });
  await alice.ok('POST', `/join/${encodeURIComponent(room)}`, {});
  sent = [];
});
afterEach(() => app.close());

async function send(user: SyncUser, type: string, content: object): Promise<string> {
  const path = `${roomPath(room)}/send/${type}/t${sent.length}`;
  const { event_id: eventId } = await user.ok('PUT', path, content);
  sent.push(eventId);
  return eventId;
}
const say = (user: SyncUser, body: string, more: object = {}): Promise<string> =>
  send(user, 'm.room.message', { msgtype: 'm.text', body, ...more });

async function talk(): Promise<void> {
  const first = await say(alice, `how ${SECRET}`);
  const edit = { 'm.new_content': { body: SECRET }, 'm.relates_to': { rel_type: 'm.replace', event_id: first } };
  await say(alice, SECRET, edit);
  const others = await say(bob, 'indeed');
  await send(alice, 'm.reaction', { 'm.relates_to': { rel_type: 'm.annotation', event_id: others, key: SECRET } });
  const slip = await say(alice, 'a slip');
  await alice.ok('PUT', `${roomPath(room)}/redact/${encodeURIComponent(slip)}/r`, { reason: SECRET });
}

async function erase(order: object = {}): Promise<Erasure> {
  const id = await app.get(Erasures).order({ user_id: alice.userId as UserId, content: true, ...order }, 'server');
  await expect.poll(async () => (await app.get(Erasures).load()).get(id)?.ended, { timeout: MINUTE }).toBeDefined();
  return (await app.get(Erasures).load()).get(id)!;
}

/** How often the files of the log hold what is secret. */
function marks(): number {
  const folder = join(app.directory, 'log');
  const files = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isFile());
  const text = files.map(({ name }) => readFileSync(join(folder, name), 'latin1')).join('');
  return text.split(SECRET).length - 1;
}

async function shownTo(user: SyncUser): Promise<string> {
  const page = await user.ok('GET', `${roomPath(room)}/messages?dir=b&limit=100`);
  const state = await user.ok('GET', `${roomPath(room)}/state`);
  const found = await user.ok('POST', '/search', {
    search_categories: { room_events: { search_term: SECRET } },
  });
  return JSON.stringify([page, state, found.search_categories.room_events.results]);
}

async function expectWhole(): Promise<void> {
  const verifier = new RoomVerifier(room, () => parseVerifyKey(TEST_AUTHOR.signingKey.publicKey));
  expect((await app.factsOf(`room-${room}`)).flatMap((fact) => verifier.check(fact))).toEqual([]);
  let chain: string | undefined;
  for (const fact of await app.factsOf(`user-${alice.userId}`)) {
    expect(verifyChain(chain, fact)).toBe(true);
    ({ chain } = fact.metadata);
  }
}

describe('what a user is erased with', () => {
  test(
    'is nowhere in the log, nor in any view: what they said, what they are called, and why; and the log is whole',
    async () => {
      await talk();
      await alice.ok('PUT', `${roomPath(room)}/state/m.room.member/${alice.userId}`, {
        membership: 'join',
        displayname: SECRET,
      });
      const { ended } = await erase();
      expect(ended?.removed).toMatchObject({ messages: 2, reactions: 1, redactions: 1, memberships: 3 });
      expect(ended?.kept).toEqual({});
      expect(await shownTo(bob)).not.toContain(SECRET);
      await expect.poll(marks, { timeout: MINUTE }).toBe(0);
      await expectWhole();
      await expectSameRowsRebuilt(app, REBUILT);
      expect(await shownTo(bob)).not.toContain(SECRET);
    },
    2 * MINUTE,
  );

  test('is redacted in the room in their name, so that all hear of it, and they are in it no more', async () => {
    await talk();
    const { next_batch: since } = await bob.ok('GET', '/sync?timeout=0');
    await erase();
    const { rooms } = await bob.ok('GET', `/sync?timeout=0&since=${since}`);
    const { events } = rooms.join[room].timeline;
    const redactions = (events as { type: string; sender: string }[]).filter(({ type }) => type === 'm.room.redaction');
    expect(redactions.length).toBeGreaterThanOrEqual(5);
    expect(redactions.every(({ sender }) => sender === alice.userId)).toBe(true);
    const members = await bob.ok('GET', `${roomPath(room)}/joined_members`);
    expect(Object.keys(members.joined)).toEqual([bob.userId]);
    expect((await alice.call('GET', '/account/whoami')).status).toBe(401);
  });

  test('goes here alone where that is wanted, and of who has left already', async () => {
    await talk();
    await alice.ok('POST', `${roomPath(room)}/leave`, { reason: SECRET });
    const { next_batch: since } = await bob.ok('GET', '/sync?timeout=0');
    const { ended } = await erase({ here: true });
    expect(ended?.removed['memberships']).toBeGreaterThanOrEqual(2);
    const news = await bob.ok('GET', `/sync?timeout=0&since=${since}`);
    expect(JSON.stringify(news)).not.toContain('m.room.redaction');
    expect(await shownTo(bob)).not.toContain(SECRET);
    await expect.poll(marks, { timeout: MINUTE }).toBe(0);
  });

  test('is all they kept: names of tags, filters, rules, devices and groups, and what they had read', async () => {
    const user = `/user/${alice.userId}`;
    await alice.ok('PUT', `${user}/rooms/${encodeURIComponent(room)}/tags/u.${SECRET}`, {});
    await alice.ok('POST', `${user}/filter`, { room: { rooms: [`!${SECRET}:a.example`] } });
    await alice.ok('PUT', `/pushrules/global/content/${SECRET}`, { pattern: SECRET, actions: ['notify'] });
    const { devices } = await alice.ok('GET', '/devices');
    await alice.ok('PUT', `/devices/${devices[0].device_id}`, { display_name: SECRET });
    const said = await say(bob, 'read this');
    await alice.ok('POST', `${roomPath(room)}/receipt/m.read/${encodeURIComponent(said)}`, {});
    await alice.ok('PUT', `${user}/account_data/org.example`, { kept: SECRET });
    const lists = app.get(PresenceLists);
    const onList = { user_id: bob.userId as UserId };
    await lists.change(alice.userId as UserId, () => [{ type: 'subscription-asked', data: onList }], BY_SERVER);
    const grouped = { type: 'subscription-grouped', data: { ...onList, groups: [SECRET] } } as const;
    await lists.change(alice.userId as UserId, () => [grouped], BY_SERVER);
    await erase();
    await expect.poll(marks, { timeout: MINUTE }).toBe(0);
    const left = await app.factsOf(`marks-${alice.userId}`);
    expect(left.map(({ type }) => type)).toEqual(['marks-ended']);
    const { rooms } = await bob.ok('GET', '/sync?timeout=0');
    expect(JSON.stringify(rooms.join[room].ephemeral)).not.toContain(alice.userId);
    await expectSameRowsRebuilt(app, ['filters', 'push-rules', 'account-data', 'receipts', 'profiles']);
    expect(await app.get(KeptOfUser).countKept(alice.userId as UserId)).toEqual({});
  });

  test('leaves state by which rooms go, whoever reads it, and what others said', async () => {
    await bob.setState(room, 'm.room.power_levels', { users: { [alice.userId]: 100 }, state_default: 50 });
    const rule = { entity: '@spammer:*', recommendation: 'm.ban', reason: 'spam' };
    await alice.setState(room, 'm.room.encryption', { algorithm: 'm.megolm.v1.aes-sha2' });
    await alice.setState(room, 'm.policy.rule.user', rule, 'rule');
    await alice.setState(room, 'org.matrix.mjolnir.rule.user', rule, 'rule');
    await alice.setState(room, 'm.room.topic', { topic: SECRET });
    await alice.setState(room, 'm.beacon_info', { description: SECRET, timeout: 1 }, alice.userId);
    await alice.setState(room, 'org.example.mood', { mood: SECRET }, alice.userId);
    await say(bob, 'Bob stays');
    const { ended } = await erase();
    expect(ended).toMatchObject({ removed: { state: 3 }, kept: { 'state of rooms': 3 } });
    const kept = (type: string, key = ''): Promise<unknown> => bob.ok('GET', `${roomPath(room)}/state/${type}/${key}`);
    expect(await kept('m.room.encryption')).toEqual({ algorithm: 'm.megolm.v1.aes-sha2' });
    for (const type of ['m.policy.rule.user', 'org.matrix.mjolnir.rule.user'])
      expect(await kept(type, 'rule')).toEqual(rule);
    expect(await shownTo(bob)).toContain('Bob stays');
    expect(await shownTo(bob)).not.toContain(SECRET);
  });
});

describe('what comes back of who was erased', () => {
  test('is redacted here as it comes: another server tells what they said as the past of a room', async () => {
    const others = new ForkedRoom(app.get<EventStore>(EVENT_STORE as never), { roomId: room, version: LATEST });
    await others.join(OTHER_SERVER.user('carol'));
    const prevEvents = await others.extremities();
    await erase();
    const content = { msgtype: 'm.text', body: SECRET };
    const past = { sender: alice.userId as UserId, type: 'm.room.message', content, prevEvents };
    const { eventId } = await others.fetch(past);
    await expect.poll(marks, { timeout: MINUTE }).toBe(0);
    const page = await bob.ok('GET', `${roomPath(room)}/messages?dir=b&limit=100`);
    const told = (page.chunk as { event_id: string; content: object }[]).find(({ event_id: id }) => id === eventId);
    expect(told?.content).toEqual({});
  });

  test('is redacted here as it comes: that is told as a part of a state alone', async () => {
    const others = new ForkedRoom(app.get<EventStore>(EVENT_STORE as never), { roomId: room, version: LATEST });
    await others.join(OTHER_SERVER.user('carol'));
    const prevEvents = await others.extremities();
    await erase();
    const sender = alice.userId as UserId;
    const topic = { sender, type: 'm.room.topic', stateKey: '', content: { topic: SECRET }, prevEvents };
    await others.storeOutlier(topic);
    await expect.poll(marks, { timeout: MINUTE }).toBe(0);
  });
});

test('what is held as a part of a state alone is erased with the rest', async () => {
  const others = new ForkedRoom(app.get<EventStore>(EVENT_STORE as never), { roomId: room, version: LATEST });
  await others.join(OTHER_SERVER.user('carol'));
  const sender = alice.userId as UserId;
  const prevEvents = await others.extremities();
  await others.storeOutlier({ sender, type: 'm.room.topic', stateKey: '', content: { topic: SECRET }, prevEvents });
  expect(marks()).toBeGreaterThan(0);
  const { ended } = await erase();
  expect(ended?.removed).toMatchObject({ state: 1 });
  expect(ended?.kept).toEqual({});
  await expect.poll(marks, { timeout: MINUTE }).toBe(0);
});

test('an erasure that is under way says how far it is', async () => {
  for (let n = 0; n < 120; n++) await say(alice, `${SECRET} ${n}`);
  const seen: ErasureProgress[] = [];
  const erasures = app.get(Erasures);
  const show = erasures.showProgress.bind(erasures);
  erasures.showProgress = (id, progress) => {
    show(id, progress);
    expect(erasures.findProgress(id)).toEqual(progress);
    seen.push(progress);
  };
  const { erasure_id: id, ended } = await erase();
  expect(seen[0]).toEqual({ doing: 'redacting', events: 0, room: 1, rooms: 1 });
  expect(seen.filter(({ doing }) => doing === 'redacting').map(({ events }) => events)).toContain(50);
  expect(seen.at(-1)).toMatchObject({ doing: 'erasing', events: 100 });
  expect(ended?.removed['messages']).toBe(120);
  expect(erasures.findProgress(id)).toBeUndefined();
  await expect.poll(marks, { timeout: MINUTE }).toBe(0);
});

describe('who was erased', () => {
  test('is listed beside the log, before the log says that it is done', async () => {
    await erase();
    const list = readErasureList(erasureListIn(app.directory));
    expect(list).toMatchObject([{ user_id: alice.userId, content: true }]);
  });

  test('is erased again where the log does not know, unless the account is another one by now', async () => {
    await talk();
    const again = app.get(ErasuresAgain);
    const at = Date.now();
    expect(await again.apply([{ user_id: alice.userId as UserId, at, content: true }])).toBe(1);
    await expect.poll(marks, { timeout: MINUTE }).toBe(0);
    expect(await again.apply([{ user_id: alice.userId as UserId, at, content: true }])).toBe(0);
    expect(await again.apply([{ user_id: bob.userId as UserId, at: 5, content: true }])).toBe(1);
    const ofBob = async (): Promise<Erasure | undefined> =>
      [...(await app.get(Erasures).load()).values()].find(({ user_id: id }) => id === bob.userId);
    await expect.poll(async () => (await ofBob())?.ended?.refused).toContain('another account');
    expect((await bob.call('GET', '/account/whoami')).status).toBe(200);
  });

  test('is the account that was made then, whatever the clock has said since', async () => {
    const accounts = app.get(ErasableAccounts);
    const madeAt = async (userId: string): Promise<number> => (await accounts.find(userId as UserId))!.created_ts;
    await erase();
    const [listed] = readErasureList(erasureListIn(app.directory));
    expect(listed?.made).toBe(await madeAt(alice.userId));
    const made = await madeAt(bob.userId);
    const order = { erasure_id: 'one', user_id: bob.userId as UserId, at: made - 86_400_000 };
    expect(await accounts.refuse(order)).toBeUndefined();
    expect(await accounts.refuse({ ...order, again: order.at, made })).toBeUndefined();
    expect(await accounts.refuse({ ...order, at: made + 1, again: made + 1, made: made - 1 })).toContain(
      'another account',
    );
    expect(await app.get(ErasuresAgain).apply([{ user_id: bob.userId as UserId, at: order.at, made }])).toBe(1);
    await expect.poll(async () => (await bob.call('GET', '/account/whoami')).status, { timeout: MINUTE }).toBe(401);
  });

  test('is on the list by when the order is answered, and by when the account is closed', async () => {
    const listed = (): string[] => readErasureList(erasureListIn(app.directory)).map(({ user_id: id }) => id);
    await app.get(ErasureAdministration).order(bob.userId, { here: false }, 'server');
    expect(listed()).toEqual([bob.userId]);
    await app.get(CommandBus).execute(new DeactivateAccount(alice.userId as UserId, true, { actor: alice.userId }));
    expect(listed()).toEqual([bob.userId, alice.userId]);
  });

  test('is known of accounts that were closed so by their users', async () => {
    await alice.close({ erase: true });
    expect(readErasureList(erasureListIn(app.directory))).toMatchObject([{ user_id: alice.userId }]);
    expect(readErasureList(erasureListIn(app.directory))[0]?.content).toBeUndefined();
  });
});
