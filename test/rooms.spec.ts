import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Client, Homeserver } from './support/homeserver.js';
import { describeWithAllStores } from './support/stores.js';
import { path, refusal, startWithThreeUsers, type ThreeUsers } from './support/three-users.js';

describeWithAllStores('rooms, over HTTP', (stores) => {
  let server: Homeserver;
  let alice: Client;
  let bob: Client;
  let carol: Client;
  let publicRoom: ThreeUsers['publicRoom'];

  beforeAll(async () => {
    ({ server, alice, bob, carol, publicRoom } = await startWithThreeUsers(stores));
  });
  afterAll(() => server.remove());

  // oxlint-disable-next-line typescript/no-explicit-any -- bodies of answers; each test says what it expects of them
  const bodies = (events: readonly any[]): string[] => events.map((event) => event.content.body ?? event.type);

  test('a room can be made, joined, talked in and left', async () => {
    const roomId = await publicRoom({ name: 'Lobby', topic: 'Talk' });
    const eventId = await bob.send(roomId, 'hello');
    const event = await alice.ok('GET', path(roomId, 'event', eventId));
    expect(event).toMatchObject({
      content: { msgtype: 'm.text', body: 'hello' },
      event_id: eventId,
      room_id: roomId,
      sender: bob.userId,
      type: 'm.room.message',
    });
    expect(event.unsigned.age).toBeGreaterThanOrEqual(0);
    expect((await bob.ok('GET', '/joined_rooms')).joined_rooms).toContain(roomId);
    expect(await bob.ok('POST', path(roomId, 'leave'), {})).toEqual({});
    expect((await bob.ok('GET', '/joined_rooms')).joined_rooms).not.toContain(roomId);
    expect(refusal(await bob.request('PUT', path(roomId, 'send', 'm.room.message', 't'), {}))).toEqual([
      403,
      'M_FORBIDDEN',
    ]);
  });

  test('a transaction is sent once, and only its device is told of it', async () => {
    const roomId = await publicRoom();
    const first = await alice.send(roomId, 'once', 'same');
    expect(await alice.send(roomId, 'once', 'same')).toBe(first);
    const seen = async (who: Client) => (await who.ok('GET', path(roomId, 'event', first))).unsigned.transaction_id;
    expect([await seen(alice), await seen(bob)]).toEqual(['same', undefined]);
  });

  test('state is set and read by type and key, with and without a trailing slash', async () => {
    const roomId = await publicRoom();
    const first = await alice.ok('PUT', path(roomId, 'state', 'm.room.topic'), { topic: 'one' });
    const second = await alice.ok('PUT', `${path(roomId, 'state', 'm.room.topic')}/`, { topic: 'two' });
    await alice.ok('PUT', path(roomId, 'state', 'org.example', 'a/key #1'), { value: 1 });
    expect(await bob.ok('GET', path(roomId, 'state', 'm.room.topic'))).toEqual({ topic: 'two' });
    expect(await bob.ok('GET', `${path(roomId, 'state', 'm.room.topic')}/`)).toEqual({ topic: 'two' });
    expect(await bob.ok('GET', path(roomId, 'state', 'org.example', 'a/key #1'))).toEqual({ value: 1 });
    expect(await bob.ok('GET', `${path(roomId, 'state', 'm.room.topic')}?format=event`)).toMatchObject({
      event_id: second.event_id,
      state_key: '',
      unsigned: { replaces_state: first.event_id, prev_content: { topic: 'one' }, prev_sender: alice.userId },
    });
    const all = await bob.ok('GET', path(roomId, 'state'));
    const byKey = Object.fromEntries(all.map((event: { type: string; state_key: string }) => [event.type, event]));
    expect(byKey['m.room.create'].sender).toBe(alice.userId);
    expect(byKey['m.room.topic'].content).toEqual({ topic: 'two' });
    expect(refusal(await bob.request('GET', path(roomId, 'state', 'no.such')))).toEqual([404, 'M_NOT_FOUND']);
    expect(refusal(await carol.request('GET', path(roomId, 'state')))).toEqual([403, 'M_FORBIDDEN']);
  });

  test('pages of messages lead from one end to the other and back', async () => {
    const roomId = await publicRoom();
    for (let i = 0; i < 7; i++) await alice.send(roomId, `m${i}`);
    const page = (who: Client, query: string) => who.ok('GET', `${path(roomId, 'messages')}?${query}`);
    const newest = await page(bob, 'dir=b&limit=3');
    expect(bodies(newest.chunk)).toEqual(['m6', 'm5', 'm4']);
    const older = await page(bob, `dir=b&limit=3&from=${newest.end}`);
    expect(bodies(older.chunk)).toEqual(['m3', 'm2', 'm1']);
    const back = await page(bob, `dir=f&limit=4&from=${older.end}`);
    expect(bodies(back.chunk)).toEqual(['m1', 'm2', 'm3', 'm4']);
    const upTo = await page(bob, `dir=f&limit=100&from=${older.end}&to=${newest.end}`);
    expect(bodies(upTo.chunk)).toEqual(['m1', 'm2', 'm3']);
    const first = await page(bob, 'dir=f&limit=1');
    expect(first.chunk[0].type).toBe('m.room.create');
    let all = 0;
    for (let at: string | undefined = newest.start, pages = 0; at !== undefined && pages < 50; pages++) {
      const next: { chunk: unknown[]; end?: string } = await page(bob, `dir=b&limit=4&from=${at}`);
      all += next.chunk.length;
      at = next.end;
    }
    expect(all).toBe((await page(bob, 'dir=b&limit=1000')).chunk.length);
    await alice.send(roomId, 'news');
    expect(bodies((await page(bob, `dir=f&from=${newest.start}`)).chunk)).toEqual(['news']);
  });

  test('a page is filtered, and brings the members it needs', async () => {
    const roomId = await publicRoom();
    await alice.send(roomId, 'from alice');
    await bob.send(roomId, 'from bob');
    const only = async (filter: object) => {
      const query = new URLSearchParams({ dir: 'b', limit: '50', filter: JSON.stringify(filter) });
      return alice.ok('GET', `${path(roomId, 'messages')}?${query}`);
    };
    expect(bodies((await only({ types: ['m.room.message'] })).chunk)).toEqual(['from bob', 'from alice']);
    expect(bodies((await only({ types: ['m.room.m*ge'], not_senders: [bob.userId] })).chunk)).toEqual(['from alice']);
    expect(bodies((await only({ types: ['m.room.message'], limit: 1 })).chunk)).toEqual(['from bob']);
    const lazy = await only({ senders: [bob.userId], types: ['m.room.message'], lazy_load_members: true });
    expect(lazy.state.map((event: { state_key: string }) => event.state_key)).toEqual([bob.userId]);
    const broken = await alice.request('GET', `${path(roomId, 'messages')}?dir=b&filter=nonsense`);
    expect(broken.status).toBe(400);
    expect(refusal(await alice.request('GET', path(roomId, 'messages')))).toEqual([400, 'M_MISSING_PARAM']);
    expect(refusal(await alice.request('GET', `${path(roomId, 'messages')}?dir=b&from=x`))).toEqual([
      400,
      'M_INVALID_PARAM',
    ]);
  });

  test('an event is shown with what surrounds it', async () => {
    const roomId = await publicRoom();
    const ids: string[] = [];
    for (let i = 0; i < 7; i++) ids.push(await alice.send(roomId, `m${i}`));
    const around = await bob.ok('GET', `${path(roomId, 'context', ids[3] as string)}?limit=4`);
    expect(around.event.event_id).toBe(ids[3]);
    expect(bodies(around.events_before)).toEqual(['m2', 'm1']);
    expect(bodies(around.events_after)).toEqual(['m4', 'm5']);
    expect(around.state.some((event: { type: string }) => event.type === 'm.room.create')).toBe(true);
    const further = await bob.ok('GET', `${path(roomId, 'messages')}?dir=b&limit=1&from=${around.start}`);
    expect(bodies(further.chunk)).toEqual(['m0']);
    const later = await bob.ok('GET', `${path(roomId, 'messages')}?dir=f&limit=1&from=${around.end}`);
    expect(bodies(later.chunk)).toEqual(['m6']);
  });

  test('no event is shown in the name of another room, or to strangers', async () => {
    const roomId = await publicRoom();
    const other = await alice.createRoom();
    const secret = await alice.send(other, 'secret');
    for (const kind of ['event', 'context']) {
      expect(refusal(await bob.request('GET', path(roomId, kind, secret)))).toEqual([404, 'M_NOT_FOUND']);
    }
    expect(refusal(await bob.request('GET', path(other, 'event', secret)))).toEqual([404, 'M_NOT_FOUND']);
    expect(refusal(await carol.request('GET', `${path(roomId, 'messages')}?dir=b`))).toEqual([403, 'M_FORBIDDEN']);
  });

  test('who left sees what was, and nothing that came after', async () => {
    const roomId = await publicRoom();
    await alice.send(roomId, 'before');
    await bob.ok('POST', path(roomId, 'leave'));
    const after = await alice.send(roomId, 'after');
    await alice.ok('PUT', path(roomId, 'state', 'm.room.name'), { name: 'after' });
    const { chunk } = await bob.ok('GET', `${path(roomId, 'messages')}?dir=b&limit=2`);
    expect(bodies(chunk)).toEqual(['m.room.member', 'before']);
    expect(refusal(await bob.request('GET', path(roomId, 'event', after)))).toEqual([404, 'M_NOT_FOUND']);
    expect(refusal(await bob.request('GET', path(roomId, 'state', 'm.room.name')))).toEqual([404, 'M_NOT_FOUND']);
    const members = await bob.ok('GET', path(roomId, 'members'));
    expect(members.chunk).toHaveLength(2);
    await bob.ok('POST', path(roomId, 'forget'));
    expect(refusal(await bob.request('GET', `${path(roomId, 'messages')}?dir=b`))).toEqual([403, 'M_FORBIDDEN']);
  });

  test('a redacted event is served without its content, with the redaction that took it', async () => {
    const roomId = await publicRoom();
    const eventId = await alice.send(roomId, 'oops');
    const { event_id: redaction } = await alice.ok('PUT', path(roomId, 'redact', eventId, 'r1'), { reason: 'typo' });
    const event = await bob.ok('GET', path(roomId, 'event', eventId));
    expect(event.content).toEqual({});
    expect(event.unsigned.redacted_because).toMatchObject({
      event_id: redaction,
      content: { reason: 'typo', redacts: eventId },
      redacts: eventId,
    });
    const again = await alice.ok('PUT', path(roomId, 'redact', eventId, 'r1'), { reason: 'typo' });
    expect(again.event_id).toBe(redaction);
  });

  test('members are listed as they are and as they were', async () => {
    const roomId = await publicRoom();
    const { start: then } = await alice.ok('GET', `${path(roomId, 'messages')}?dir=b&limit=1`);
    await alice.ok('POST', path(roomId, 'invite'), { user_id: carol.userId });
    await bob.ok('POST', path(roomId, 'leave'));
    const list = async (query = '') => {
      const { chunk } = await alice.ok('GET', `${path(roomId, 'members')}${query}`);
      return Object.fromEntries(
        chunk.map((event: { state_key: string; content: { membership: string } }) => [
          event.state_key,
          event.content.membership,
        ]),
      );
    };
    const now = { [alice.userId]: 'join', [bob.userId]: 'leave', [carol.userId]: 'invite' };
    expect(await list()).toEqual(now);
    expect(await list('?membership=join')).toEqual({ [alice.userId]: 'join' });
    expect(await list('?not_membership=leave')).toEqual({ [alice.userId]: 'join', [carol.userId]: 'invite' });
    expect(await list(`?at=${then}`)).toEqual({ [alice.userId]: 'join', [bob.userId]: 'join' });
    await alice.ok('PUT', `/profile/${encodeURIComponent(alice.userId)}/displayname`, { displayname: 'Alice A.' });
    // An answer waits a second at most for all rooms of a user to hear of the new name.
    const joined = async () => (await alice.ok('GET', path(roomId, 'joined_members')))['joined'];
    await expect.poll(joined).toEqual({ [alice.userId]: { display_name: 'Alice A.', avatar_url: null } });
    expect(refusal(await carol.request('GET', path(roomId, 'joined_members')))).toEqual([403, 'M_FORBIDDEN']);
  });

  test('people are invited, kicked, banned, let back in, and may knock where that is the rule', async () => {
    const roomId = await alice.createRoom({ preset: 'private_chat' });
    expect(refusal(await bob.request('POST', path(roomId, 'join')))).toEqual([403, 'M_FORBIDDEN']);
    await alice.ok('POST', path(roomId, 'invite'), { user_id: bob.userId, reason: 'come' });
    await bob.ok('POST', path(roomId, 'join'), { reason: 'coming' });
    expect(await alice.ok('GET', path(roomId, 'state', 'm.room.member', bob.userId))).toMatchObject({
      membership: 'join',
      reason: 'coming',
    });
    const membership = async () =>
      (await alice.ok('GET', path(roomId, 'state', 'm.room.member', bob.userId))).membership as string;
    await alice.ok('POST', path(roomId, 'kick'), { user_id: bob.userId, reason: 'enough' });
    expect(await membership()).toBe('leave');
    await alice.ok('POST', path(roomId, 'ban'), { user_id: bob.userId });
    expect(await membership()).toBe('ban');
    expect(refusal(await alice.request('POST', path(roomId, 'invite'), { user_id: bob.userId }))[0]).toBe(403);
    await alice.ok('POST', path(roomId, 'unban'), { user_id: bob.userId });
    expect(await membership()).toBe('leave');
    expect(refusal(await alice.request('POST', path(roomId, 'kick'), {}))).toEqual([400, 'M_MISSING_PARAM']);
    expect(refusal(await alice.request('POST', path(roomId, 'kick'), { user_id: 'bob' }))).toEqual([
      400,
      'M_INVALID_PARAM',
    ]);
    await alice.ok('PUT', path(roomId, 'state', 'm.room.join_rules'), { join_rule: 'knock' });
    expect(await bob.ok('POST', `/knock/${encodeURIComponent(roomId)}`, { reason: 'please' })).toEqual({
      room_id: roomId,
    });
    expect(await membership()).toBe('knock');
  });

  test('an upgraded room points to its replacement', async () => {
    const roomId = await publicRoom({ room_version: '10', name: 'Old' });
    const { replacement_room: next } = await alice.ok('POST', path(roomId, 'upgrade'), { new_version: '11' });
    expect(await bob.ok('GET', path(roomId, 'state', 'm.room.tombstone'))).toMatchObject({ replacement_room: next });
    expect(await alice.ok('GET', path(next, 'state', 'm.room.name'))).toEqual({ name: 'Old' });
    expect(refusal(await alice.request('POST', path(roomId, 'upgrade'), { new_version: 'x' }))).toEqual([
      400,
      'M_UNSUPPORTED_ROOM_VERSION',
    ]);
  });

  test('events are found by what they relate to, and by time', async () => {
    const roomId = await publicRoom();
    const parent = await alice.send(roomId, 'parent');
    const thread = { rel_type: 'm.thread', event_id: parent };
    const child = (body: string, relation: object, txnId: string) =>
      bob.ok('PUT', path(roomId, 'send', 'm.room.message', txnId), { body, 'm.relates_to': relation });
    const { event_id: first } = await child('one', thread, 'r1');
    await child('two', thread, 'r2');
    await child('three', { rel_type: 'm.reference', event_id: parent }, 'r3');
    await child('nested', { rel_type: 'm.reference', event_id: first }, 'r4');
    const at = `/_matrix/client/v1${path(roomId, 'relations', parent)}`;
    expect(bodies((await alice.ok('GET', at)).chunk)).toEqual(['three', 'two', 'one']);
    expect(bodies((await alice.ok('GET', `${at}/m.thread`)).chunk)).toEqual(['two', 'one']);
    expect(bodies((await alice.ok('GET', `${at}/m.thread/m.room.message?dir=f`)).chunk)).toEqual(['one', 'two']);
    expect(bodies((await alice.ok('GET', `${at}/m.thread/m.sticker`)).chunk)).toEqual([]);
    const deep = await alice.ok('GET', `${at}?recurse=true`);
    expect([bodies(deep.chunk), deep.recursion_depth]).toEqual([['nested', 'three', 'two', 'one'], 3]);
    const page = await alice.ok('GET', `${at}?limit=2`);
    expect(bodies((await alice.ok('GET', `${at}?limit=2&from=${page.next_batch}`)).chunk)).toEqual(['one']);
    expect(refusal(await carol.request('GET', at))).toEqual([404, 'M_NOT_FOUND']);

    const { origin_server_ts: time } = await alice.ok('GET', path(roomId, 'event', parent));
    const byTime = `/_matrix/client/v1${path(roomId, 'timestamp_to_event')}`;
    const found = await alice.ok('GET', `${byTime}?ts=${time}&dir=f`);
    expect(found.origin_server_ts).toBe(time);
    expect(refusal(await alice.request('GET', `${byTime}?ts=${time + 1_000_000}&dir=f`))).toEqual([404, 'M_NOT_FOUND']);
    expect(refusal(await alice.request('GET', `${byTime}?ts=${time}`))).toEqual([400, 'M_MISSING_PARAM']);
    expect(refusal(await carol.request('GET', `${byTime}?ts=${time}&dir=f`))).toEqual([403, 'M_FORBIDDEN']);
  });

  test('everything is served under r0 too, and nothing without a token', async () => {
    const roomId = await publicRoom();
    const r0 = `/_matrix/client/r0${path(roomId, 'send', 'm.room.message', 'r0')}`;
    expect((await alice.request('PUT', r0, { msgtype: 'm.text', body: 'old' })).status).toBe(200);
    const today = `/_matrix/client/v3${path(roomId, 'state')}`;
    expect(refusal(await server.request('GET', today))).toEqual([401, 'M_MISSING_TOKEN']);
    expect(refusal(await alice.request('GET', path('nonsense', 'state')))).toEqual([400, 'M_INVALID_PARAM']);
    const broken = await alice.request('PUT', path(roomId, 'send', 'm.room.message', 'x'), '{');
    expect(refusal(broken)).toEqual([400, 'M_NOT_JSON']);
  });
});
