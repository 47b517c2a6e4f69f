import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JsonObject } from '#kernel/json';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import { hasContentHash } from '#protocol/signing/content-hash';
import { eventIdOf } from '#protocol/signing/reference-hash';
import { emptyObject } from '#testing/empty-object';
import { queryOf, roomPath, SyncApp, type SyncUser } from '#testing/sync-app';

let app: SyncApp;
let alice: SyncUser;
let bob: SyncUser;
let carol: SyncUser;

beforeAll(async () => {
  app = await SyncApp.start();
  [alice, bob, carol] = await Promise.all([app.register('alice'), app.register('bob'), app.register('carol')]);
});
afterAll(() => app.close());

type Event = { type: string; sender: string; content: Record<string, unknown>; state_key?: string };
const members = (events: Event[]): string[] =>
  events.filter(({ type }) => type === 'm.room.member').map(({ state_key: key }) => key!);

async function sharedRoom(options: object = {}): Promise<string> {
  const roomId = await alice.createRoom({ preset: 'public_chat', ...options });
  await bob.join(roomId);
  await carol.join(roomId);
  return roomId;
}

describe('filters', () => {
  it('choose rooms, types by wildcard, and senders', async () => {
    const [one, two] = [await sharedRoom(), await sharedRoom()];
    await bob.send(one, 'from bob');
    await carol.send(one, 'from carol');
    const timeline = { types: ['m.room.mess*'], not_senders: [carol.userId] };
    const answer = await alice.sync({ filter: { room: { not_rooms: [two], timeline } } });
    expect(answer.rooms.join).not.toHaveProperty([two]);
    const events: Event[] = answer.rooms.join[one].timeline.events;
    expect(events.map(({ content }) => content['body'])).toEqual(['from bob']);
  });

  it('are found by their ids, and refused where there is none or it is malformed', async () => {
    const roomId = await sharedRoom();
    const filter = { room: { timeline: { limit: 1 } }, event_fields: ['type', 'content.body'] };
    await alice.send(roomId, 'hello');
    const { filter_id: id } = await alice.ok('POST', `/user/${alice.userId}/filter`, filter);
    const { timeline } = (await alice.sync({ filter: id })).rooms.join[roomId];
    expect(timeline.events).toEqual([{ type: 'm.room.message', content: { body: 'hello' } }]);
    const refused: [string, string][] = [
      ['nosuchid', 'M_INVALID_PARAM'],
      ['{"room":', 'M_NOT_JSON'],
      ['{"room":[]}', 'M_BAD_JSON'],
    ];
    for (const [text, errcode] of refused) {
      const answer = await alice.call('GET', `/sync?${queryOf({ filter: text })}`);
      expect(answer, text).toMatchObject({ status: 400, body: { errcode } });
    }
  });

  it('may ask for events as they were signed, with no more of them than is served', async () => {
    const roomId = await sharedRoom();
    const version = findRoomVersion('12')!;
    const said = await bob.send(roomId, 'as it was signed');
    const withdrawn = await bob.send(roomId, 'a slip of the tongue');
    await bob.ok('PUT', `${roomPath(roomId)}/redact/${withdrawn}/r1`, { reason: 'a slip' });
    const filter = { event_format: 'federation', room: { timeline: { limit: 3 } } };
    const { timeline, state } = (await alice.sync({ filter })).rooms.join[roomId];
    const pdus: JsonObject[] = timeline.events.map((event: JsonObject) => ({
      ...event,
      event_id: undefined,
      unsigned: undefined,
    }));
    expect(pdus.map((pdu) => eventIdOf(pdu, version))).toEqual([said, withdrawn, expect.any(String)]);
    expect(timeline.events.map((event: JsonObject) => event['event_id'])).toEqual(
      pdus.map((pdu) => eventIdOf(pdu, version)),
    );
    expect(pdus.map((pdu) => hasContentHash(pdu, version))).toEqual([true, false, true]);
    expect(pdus[0]).toMatchObject({
      room_id: roomId,
      auth_events: expect.any(Array),
      content: { body: 'as it was signed' },
    });
    expect(pdus[1]).toMatchObject({ content: emptyObject(), signatures: expect.any(Object) });
    expect(timeline.events[1].unsigned.redacted_because.content.reason).toBe('a slip');
    expect(JSON.stringify(timeline)).not.toContain('tongue');
    expect(state.events[0]).toHaveProperty('signatures');
  });

  it('keep ephemeral events and account data out', async () => {
    const roomId = await sharedRoom();
    await bob.ok('PUT', `${roomPath(roomId)}/typing/${bob.userId}`, { typing: true });
    await alice.ok('PUT', `/user/${alice.userId}/rooms/${encodeURIComponent(roomId)}/account_data/org.example`, {});
    const none = { types: [] };
    const filter = { account_data: none, room: { ephemeral: none, account_data: none } };
    const answer = await alice.sync({ filter });
    expect(answer.account_data.events).toEqual([]);
    expect(answer.rooms.join[roomId].ephemeral.events).toEqual([]);
    expect(answer.rooms.join[roomId].account_data.events).toEqual([]);
  });
});

describe('lazy loading of members', () => {
  it('tells with use_state_after whom the timeline is about, to who comes back and may know them from before', async () => {
    const roomId = await sharedRoom();
    const how = { use_state_after: true, filter: { room: { state: { lazy_load_members: true } } } };
    const { next_batch } = await bob.sync(how);
    await bob.leave(roomId);
    await alice.ok('POST', `${roomPath(roomId)}/ban`, { user_id: carol.userId });
    await bob.join(roomId);
    const { timeline, state_after } = (await bob.sync({ ...how, since: next_batch })).rooms.join[roomId];
    for (const { events } of [timeline, state_after]) {
      const banned = events.filter(({ state_key: key }: Event) => key === carol.userId);
      expect(banned.map(({ content }: Event) => content)).toEqual([{ membership: 'ban' }]);
    }
  });

  const filter = (more: object = {}): object => ({
    room: { state: { lazy_load_members: true, ...more }, timeline: { limit: 2 } },
  });

  it('sends the senders of the timeline and the user, and each of them once', async () => {
    const roomId = await sharedRoom();
    await bob.send(roomId, '1');
    await bob.send(roomId, '2');
    const first = await alice.sync({ filter: filter() });
    expect(members(first.rooms.join[roomId].state.events).toSorted()).toEqual(
      expect.arrayContaining([alice.userId, bob.userId]),
    );
    await bob.send(roomId, '3');
    const second = await alice.sync({ filter: filter(), since: first.next_batch });
    expect(members(second.rooms.join[roomId].state.events)).toEqual([]);
    const again = await alice.sync({
      filter: filter({ include_redundant_members: true }),
      since: first.next_batch,
    });
    expect(members(again.rooms.join[roomId].state.events)).toEqual([bob.userId]);
  });

  it('sends them again to who left the room and came back: with the room they may have let go of its members', async () => {
    const roomId = await sharedRoom({ name: 'Named' });
    await bob.send(roomId, '1');
    const { next_batch: first } = await alice.sync({ filter: filter() });
    await alice.leave(roomId);
    const { next_batch: left } = await alice.sync({ filter: filter(), since: first });
    await alice.join(roomId);
    const { next_batch: since } = await alice.sync({
      filter: { room: { timeline: { limit: 1 }, state: { lazy_load_members: true } } },
      since: left,
    });
    await bob.send(roomId, '2');
    const { rooms } = await alice.sync({ filter: filter(), since });
    expect(members(rooms.join[roomId].state.events)).toEqual([bob.userId]);
  });

  it('sends them again after an answer with the full state: who asks for that may have lost what they had', async () => {
    const roomId = await sharedRoom({ name: 'Named' });
    await bob.send(roomId, '1');
    const { next_batch: first } = await alice.sync({ filter: filter() });
    const { rooms: all, next_batch: since } = await alice.sync({ filter: filter(), since: first, full_state: true });
    expect(members(all.join[roomId].state.events)).toEqual([alice.userId]);
    await bob.send(roomId, '2');
    const { rooms } = await alice.sync({ filter: filter(), since });
    expect(members(rooms.join[roomId].state.events)).toEqual([bob.userId]);
  });

  it('leaves the others out of a named room', async () => {
    const roomId = await sharedRoom({ name: 'Named' });
    await bob.send(roomId, '1');
    await bob.send(roomId, '2');
    const room = (await alice.sync({ filter: filter() })).rooms.join[roomId];
    expect(members(room.state.events).toSorted()).toEqual([alice.userId, bob.userId]);
  });

  it('sends every change of a gap, whoever made it', async () => {
    const roomId = await sharedRoom({ name: 'Named' });
    const dave = await app.register(`dave${Date.now()}`);
    const { next_batch: since } = await alice.sync({ filter: filter() });
    await dave.join(roomId);
    for (const body of ['1', '2', '3']) await bob.send(roomId, body);
    const room = (await alice.sync({ filter: filter(), since })).rooms.join[roomId];
    expect(members(room.state.events)).toContain(dave.userId);
  });

  it('sends members and other state as they were before the timeline', async () => {
    const roomId = await sharedRoom({ name: 'Before' });
    await bob.send(roomId, '1');
    await bob.ok('PUT', `/profile/${bob.userId}/displayname`, { displayname: `Bobby ${Date.now()}` });
    await alice.setState(roomId, 'm.room.name', { name: 'After' });
    const three = { room: { state: { lazy_load_members: true }, timeline: { limit: 3 } } };
    const { state, timeline } = (await alice.sync({ filter: three })).rooms.join[roomId];
    const find = (events: Event[], type: string, key: string): Event | undefined =>
      events.find((event) => event.type === type && event.state_key === key);
    const [before, after] = [state, timeline].map(({ events }) => find(events, 'm.room.member', bob.userId));
    expect(before?.content['displayname']).not.toBe(after?.content['displayname']);
    expect(find(state.events, 'm.room.name', '')?.content).toEqual({ name: 'Before' });
  });

  it('sends them again to who did not get the answer: the same token, a cut poll, another loop of the device', async () => {
    const roomId = await sharedRoom({ name: 'Named' });
    for (const body of ['1', '2']) await alice.send(roomId, body);
    const { next_batch: since } = await alice.sync({ filter: filter() });
    await bob.send(roomId, '3');
    const cut = await alice.sync({ filter: filter(), since });
    expect(members(cut.rooms.join[roomId].state.events)).toEqual([bob.userId]);
    const again = await alice.sync({ filter: filter(), since });
    expect(members(again.rooms.join[roomId].state.events)).toEqual([bob.userId]);
    // Another loop has been told of carol alone.
    await carol.send(roomId, '4');
    const one = await alice.sync({ filter: filter(), since: again.next_batch });
    expect(members(one.rooms.join[roomId].state.events)).toEqual([carol.userId]);
    await bob.send(roomId, '5');
    const other = await alice.sync({ filter: { room: { ...filter(), timeline: { limit: 1 } } }, since });
    expect(other.next_batch).not.toBe(one.next_batch);
    await carol.send(roomId, '6');
    const next = await alice.sync({ filter: filter(), since: one.next_batch });
    expect(members(next.rooms.join[roomId].state.events)).toEqual([]);
    const begun = await alice.sync({ filter: filter() });
    expect(members(begun.rooms.join[roomId].state.events)).toEqual(
      expect.arrayContaining([alice.userId, bob.userId, carol.userId]),
    );
    await bob.send(roomId, '7');
    const after = await alice.sync({ filter: filter(), since: begun.next_batch });
    expect(members(after.rooms.join[roomId].state.events)).toEqual([]);
  });

  it('sends them where a filter of the state had kept them out', async () => {
    const roomId = await sharedRoom({ name: 'Named' });
    for (const body of ['1', '2']) await alice.send(roomId, body);
    const { next_batch: since } = await alice.sync({ filter: filter() });
    await bob.send(roomId, '3');
    const without = await alice.sync({ filter: filter({ not_types: ['m.room.member'] }), since });
    expect(members(without.rooms.join[roomId].state.events)).toEqual([]);
    await bob.send(roomId, '4');
    const next = await alice.sync({ filter: filter(), since: without.next_batch });
    expect(members(next.rooms.join[roomId].state.events)).toEqual([bob.userId]);
  });

  it('sends what is new to the device where a member changed meanwhile', async () => {
    const roomId = await sharedRoom({ name: 'Named' });
    await bob.send(roomId, '1');
    const first = await alice.sync({ filter: filter() });
    await bob.ok('PUT', `/profile/${bob.userId}/displayname`, { displayname: `Bob ${Date.now()}` });
    const second = await alice.sync({ filter: filter(), since: first.next_batch });
    await bob.send(roomId, '2');
    const third = await alice.sync({ filter: filter(), since: second.next_batch });
    expect(members(second.rooms.join[roomId].timeline.events)).toEqual([bob.userId]);
    expect(members(third.rooms.join[roomId].state.events)).toEqual([]);
  });
});

describe('the summary of a room', () => {
  it('names the heroes of a room without a name, and counts', async () => {
    const roomId = await sharedRoom();
    const { next_batch: since, rooms } = await alice.sync();
    expect(rooms.join[roomId].summary).toEqual({
      'm.heroes': [bob.userId, carol.userId],
      'm.joined_member_count': 3,
      'm.invited_member_count': 0,
    });
    await bob.send(roomId, 'changes nothing');
    const second = await alice.sync({ since });
    expect(second.rooms.join[roomId].summary).toEqual({});
    await carol.leave(roomId);
    const third = await alice.sync({ since: second.next_batch });
    expect(third.rooms.join[roomId].summary).toMatchObject({ 'm.heroes': [bob.userId], 'm.joined_member_count': 2 });
    await alice.setState(roomId, 'm.room.name', { name: 'Now it has one' });
    const fourth = await alice.sync({ since: third.next_batch });
    expect(fourth.rooms.join[roomId].summary).not.toHaveProperty('m.heroes');
  });

  it('names the heroes again once the event that gave the room its name is redacted', async () => {
    const roomId = await sharedRoom();
    const first = await alice.setState(roomId, 'm.room.name', { name: 'First' });
    const second = await alice.setState(roomId, 'm.room.name', { name: 'Second' });
    const redact = (eventId: string): Promise<unknown> =>
      alice.ok('PUT', `/rooms/${roomId}/redact/${encodeURIComponent(eventId)}/t${eventId.slice(1, 9)}`, {});
    const { next_batch: since } = await alice.sync();
    await redact(first);
    const before = await alice.sync({ since });
    expect(before.rooms.join[roomId].summary).toEqual({});
    await redact(second);
    const after = await alice.sync({ since: before.next_batch });
    expect(after.rooms.join[roomId].summary['m.heroes']).toEqual([bob.userId, carol.userId]);
  });

  it('names those who were there where nobody is left', async () => {
    const roomId = await alice.createRoom({ invite: [bob.userId] });
    await bob.leave(roomId);
    expect((await alice.sync()).rooms.join[roomId].summary['m.heroes']).toEqual([bob.userId]);
  });
});
