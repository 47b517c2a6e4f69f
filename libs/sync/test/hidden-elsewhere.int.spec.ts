import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { RoomId } from '#kernel/ids';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import { type Finding, RoomVerifier } from '#rooms/audit/verify-room';
import type { ServerKeys } from '#rooms/server-keys';
import { TEST_AUTHOR } from '#testing/local-room';
import { type ForeignPdu, ForeignServer } from '#testing/receiving/foreign-server';
import { type DraftOn, makeOn } from '#testing/receiving/make-on';
import { keysKnownTo, MemoryRoom } from '#testing/receiving/memory-room';
import { factsOf, Receiver, tellAccepted } from '#testing/receiving/receiver';
import { roomPath, SyncApp, type SyncUser } from '#testing/sync-app';

/** Messages that users of other servers hide, or send: those servers do nothing of it, and hand over all of it in whatever order. */

const OTHER = new ForeignServer('b.example', 2);
const [BOB, CAROL] = [OTHER.user('bob'), OTHER.user('carol')];
const KEYS: ServerKeys = keysKnownTo(TEST_AUTHOR, OTHER);

let app: SyncApp;
let alice: SyncUser;
let dave: SyncUser;
let roomId: RoomId;
let receiver: Receiver;
let there: MemoryRoom;

beforeAll(async () => {
  app = await SyncApp.start();
  [alice, dave] = [await app.register('alice'), await app.register('dave')];
});
afterAll(() => app.close());

beforeEach(async () => {
  roomId = (await alice.createRoom({ preset: 'public_chat', room_version: '11' })) as RoomId;
  await dave.join(roomId);
  await alice.setState(roomId, 'm.room.power_levels', { users: { [alice.userId]: 100, [BOB]: 50 } });
  receiver = new Receiver(app, roomId, OTHER.name, KEYS);
  there = new MemoryRoom(roomId, findRoomVersion('11')!, KEYS);
  await tellAccepted(app, roomId, there);
  for (const sender of [BOB, CAROL]) {
    const join = await make({ type: 'm.room.member', sender, stateKey: sender, content: { membership: 'join' } });
    await receiver.pdus(join.text);
  }
});

/** Something that a user of the other server does, and it takes for done. */
async function make(draft: DraftOn): Promise<ForeignPdu> {
  const pdu = await makeOn(there, OTHER, { ts: Date.now(), ...draft });
  await there.receive(pdu.text);
  return pdu;
}

const says = (body: string, more: Partial<DraftOn> = {}): DraftOn => ({
  type: 'm.room.message',
  sender: CAROL,
  content: { body },
  ...more,
});
const sets = (visible: boolean, { event }: ForeignPdu, more: Partial<DraftOn> = {}): DraftOn => ({
  type: 'm.visibility',
  sender: BOB,
  content: { 'm.relates_to': { rel_type: 'm.reference', event_id: event.eventId, visible } },
  ...more,
});

const bodyFor = async (who: SyncUser, { event }: ForeignPdu): Promise<string | undefined> =>
  (await who.ok('GET', `${roomPath(roomId)}/event/${encodeURIComponent(event.eventId)}`)).content.body;

/** What `annals verify` finds, but for signatures. */
async function findings(): Promise<readonly Finding[]> {
  const verifier = new RoomVerifier(roomId, () => undefined);
  return (await factsOf(app, roomId)).flatMap((fact) => verifier.check(fact));
}

afterEach(async () => expect(await findings()).toEqual([]));

describe('what a moderator elsewhere hides', () => {
  it('is hidden here, from who may not hide, and shown again', async () => {
    const said = await make(says('hi'));
    const hides = await make(sets(false, said));
    await receiver.pdus(said.text, hides.text);
    expect([await bodyFor(dave, said), await bodyFor(alice, said)]).toEqual([undefined, 'hi']);
    await receiver.pdus((await make(sets(true, said))).text);
    expect(await bodyFor(dave, said)).toBe('hi');
  });

  it('is nothing where they have no power to', async () => {
    const said = await make(says('hi'));
    await receiver.pdus(said.text, (await make(sets(false, said, { sender: CAROL }))).text);
    expect(await bodyFor(dave, said)).toBe('hi');
  });

  it('is hidden from its first moment where that came before it', async () => {
    const prev = there.extremities.map(({ eventId }) => eventId);
    const said = await make(says('hi'));
    const edited = await make(
      says('ho', {
        prev,
        content: { body: '* ho', 'm.relates_to': { rel_type: 'm.replace', event_id: said.event.eventId } },
      }),
    );
    const hides = await make(sets(false, said, { prev }));
    await receiver.pdus(hides.text, edited.text);
    expect(await bodyFor(dave, edited)).toBe('* ho');
    await receiver.pdus(said.text);
    expect([await bodyFor(dave, said), await bodyFor(alice, said)]).toEqual([undefined, 'hi']);
    expect([await bodyFor(dave, edited), await bodyFor(alice, edited)]).toEqual([undefined, '* ho']);
  });

  it.each([
    ['as they came', (a: string, b: string) => [a, b]],
    ['the other way round', (a: string, b: string) => [b, a]],
  ])('is what the later of two moderators said by their clocks, %s', async (_, order) => {
    const said = await make(says('hi'));
    await receiver.pdus(said.text);
    const prev = there.extremities.map(({ eventId }) => eventId);
    const at = Date.now();
    const hides = await make(sets(false, said, { prev, ts: at + 2 }));
    const shows = await make(sets(true, said, { prev, ts: at + 1 }));
    await receiver.pdus(...order(hides.text, shows.text));
    expect(await bodyFor(dave, said)).toBeUndefined();
    const same = [
      await make(sets(true, said, { prev, ts: at + 5 })),
      await make(sets(false, said, { prev, ts: at + 5 })),
    ] as const;
    await receiver.pdus(...order(same[0].text, same[1].text));
    const isShown = same[0].event.eventId > same[1].event.eventId;
    expect(await bodyFor(dave, said)).toBe(isShown ? 'hi' : undefined);
  });
});
