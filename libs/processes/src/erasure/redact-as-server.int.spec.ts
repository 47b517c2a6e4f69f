import { CommandBus } from '@nestjs/cqrs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EventId, RoomId, UserId } from '#kernel/ids';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import { RoomVerifier } from '#rooms/audit/verify-room';
import { RedactAsServer, type RedactedAsServer } from '#rooms/commands/redact-as-server';
import { type PduAccepted, type PduRedacted, roomStream } from '#rooms/facts/room-facts';
import { TEST_AUTHOR } from '#testing/local-room';
import { MemoryEventStore } from '#testing/memory-event-store';
import { MemoryReadModels } from '#testing/memory-read-models';
import { type ForeignPdu, ForeignServer } from '#testing/receiving/foreign-server';
import { type DraftOn, makeOn } from '#testing/receiving/make-on';
import { keysKnownTo, MemoryRoom } from '#testing/receiving/memory-room';
import { factsOf, Receiver, tellAccepted } from '#testing/receiving/receiver';
import { expectSameRowsRebuilt } from '#testing/same-rows-rebuilt';
import { roomPath, SyncApp, type SyncUser } from '#testing/sync-app';

/** Redactions that operators order: in the room where somebody here may, else here alone. */

const OTHER = new ForeignServer('b.example', 2);
const BOB = OTHER.user('bob');
const KEYS = keysKnownTo(TEST_AUTHOR, OTHER);
const ROOT = '@root:a.example' as UserId;
const SECRET = 'PLATYPUS';

let store: MemoryEventStore;
let app: SyncApp;
let alice: SyncUser;
let dave: SyncUser;
let roomId: RoomId;
let there: MemoryRoom;

beforeEach(async () => {
  store = new MemoryEventStore();
  app = await SyncApp.start({ store, readModels: new MemoryReadModels() });
  [alice, dave] = [await app.register('alice'), await app.register('dave')];
  roomId = (await alice.createRoom({ preset: 'public_chat', room_version: '11' })) as RoomId;
  await dave.join(roomId);
  there = new MemoryRoom(roomId, findRoomVersion('11')!, KEYS);
});
afterEach(() => app.close());

const order = (eventId: string, by: UserId = ROOT, reason = 'unlawful'): Promise<RedactedAsServer> =>
  app.get(CommandBus).execute(new RedactAsServer(roomId, eventId as EventId, { by, reason }));

const read = (who: SyncUser, eventId: string): ReturnType<SyncUser['ok']> =>
  who.ok('GET', `${roomPath(roomId)}/event/${encodeURIComponent(eventId)}`);

/** Bob of the other server joins and does something. */
async function receive(...drafts: DraftOn[]): Promise<ForeignPdu[]> {
  await tellAccepted(app, roomId, there);
  const receiver = new Receiver(app, roomId, OTHER.name, KEYS);
  const join = { type: 'm.room.member', sender: BOB, stateKey: BOB, content: { membership: 'join' } };
  const made: ForeignPdu[] = [];
  for (const draft of [join, ...drafts]) {
    const pdu = await makeOn(there, OTHER, { ts: Date.now(), ...draft });
    await there.receive(pdu.text);
    await receiver.pdus(pdu.text);
    made.push(pdu);
  }
  return made.slice(1);
}

/** Nobody here may redact anything of others any more. */
const giveUpPower = (): Promise<string> => alice.setState(roomId, 'm.room.power_levels', { users: {}, redact: 50 });

async function findings(): Promise<unknown[]> {
  const verifier = new RoomVerifier(roomId, () => undefined);
  return (await factsOf(app, roomId)).flatMap((fact) => verifier.check(fact));
}

describe('an event of a room that an operator has redacted', () => {
  it('is redacted in the room by a user of this server who may, and the log says who had it done', async () => {
    const [said] = await receive({ type: 'm.room.message', sender: BOB, content: { body: SECRET } });
    const { as, eventId } = await order(said!.event.eventId);
    expect(as).toBe(alice.userId);
    expect(await read(dave, said!.event.eventId)).toMatchObject({
      content: {},
      unsigned: { redacted_because: { sender: alice.userId, event_id: eventId, content: { reason: 'unlawful' } } },
    });
    const facts = await factsOf(app, roomId);
    const fact = facts.find(({ data }) => (JSON.parse(data) as PduAccepted).event_id === eventId);
    expect(fact?.metadata.actor).toBe(ROOT);
    expect(await order(said!.event.eventId)).toEqual({ before: true });
    expect(await findings()).toEqual([]);
  });

  it('is redacted in the name of the administrator who may themself, else of its sender', async () => {
    const [one, other] = [await dave.send(roomId, SECRET), await dave.send(roomId, SECRET)];
    expect((await order(one, alice.userId as UserId)).as).toBe(alice.userId);
    await giveUpPower();
    expect((await order(other)).as).toBe(dave.userId);
    expect((await read(alice, other)).content).toEqual({});
  });

  it('is redacted on this server alone where nobody here may: for readers, in the log and in the search', async () => {
    const [said] = await receive({ type: 'm.room.message', sender: BOB, content: { msgtype: 'm.text', body: SECRET } });
    const { eventId } = said!.event;
    await giveUpPower();
    const search = (): Promise<{ search_categories: { room_events: { count: number } } }> =>
      alice.ok('POST', '/search', { search_categories: { room_events: { search_term: SECRET } } });
    expect((await search()).search_categories.room_events.count).toBe(1);
    expect(await order(eventId)).toEqual({});
    expect((await search()).search_categories.room_events.count).toBe(0);
    for (const who of [alice, dave]) {
      expect((await read(who, eventId)).content).toEqual({});
      expect(JSON.stringify(await who.sync())).not.toContain(SECRET);
    }
    const inRoom = (): string[] =>
      store.facts.filter(({ stream }) => stream === roomStream(roomId)).map(({ data }) => data);
    await expect.poll(() => inRoom().join('\n')).not.toContain(SECRET);
    const ordered = inRoom().flatMap((data) => (JSON.parse(data) as PduRedacted).ordered ?? []);
    expect(ordered).toEqual([{ by: ROOT, reason: 'unlawful' }]);
    expect(await findings()).toEqual([]);
    await expectSameRowsRebuilt(app, ['timeline', 'relations', 'graph']);
    expect((await read(alice, eventId)).content).toEqual({});
    expect(await order(eventId)).toEqual({ before: true });
  });

  it('stays so once somebody redacts it in the room', async () => {
    const [said] = await receive({ type: 'm.room.message', sender: BOB, content: { body: SECRET } });
    await giveUpPower();
    await order(said!.event.eventId);
    const { eventId } = said!.event;
    await receive({ type: 'm.room.redaction', sender: BOB, content: { redacts: eventId } });
    expect((await read(alice, eventId)).content).toEqual({});
    expect(await findings()).toEqual([]);
  });

  it('is a name, but no state that rules read, where it goes here alone; and never what the room does not have', async () => {
    const named = await alice.setState(roomId, 'm.room.name', { name: SECRET });
    const acl = await alice.setState(roomId, 'm.room.server_acl', { allow: ['*'], deny: ['c.example'] });
    const levels = await giveUpPower();
    await alice.leave(roomId);
    expect(await order(named)).toEqual({});
    expect((await read(dave, named)).content).toEqual({});
    for (const eventId of [acl, levels]) {
      await expect(order(eventId)).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' });
    }
    const { chunk } = await dave.ok('GET', `${roomPath(roomId)}/messages?dir=f&limit=1`);
    await expect(order(chunk[0].event_id)).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' });
    await expect(order('$nothing')).rejects.toMatchObject({ errcode: 'M_NOT_FOUND' });
  });
});
