import { beforeEach, describe, expect, it, test } from 'vitest';
import type { EventId, UserId } from '#kernel/ids';
import type { RoomEvent } from '#protocol/room-event';
import type { ForkedRoom } from '#testing/forked-room';
import { ALICE, BOB, type LocalRoom } from '#testing/local-room';
import type { MemoryEventStore } from '#testing/memory-event-store';
import type { RoomViews } from '#testing/room-views';
import { CAROL, roomWithCarol } from '#testing/room-with-carol';
import { joinedMembersText } from '../queries/list-members.js';
import { getStateRow, listStateFor } from '../queries/get-state.js';
import { renderEvents } from '../queries/render-event.js';
import type { Reader } from './reader.js';

const DAVE = '@dave:a.example' as UserId;
const SECRET = 'the secret name';
const as = (userId: UserId): Reader => ({ userId, ignored: new Set() });

let log: MemoryEventStore;
let room: LocalRoom;
let others: ForkedRoom;
let views: RoomViews;

beforeEach(async () => {
  ({ log, room, others, views } = await roomWithCarol());
});

/** Dave erases himself. */
async function erase(): Promise<void> {
  await note({ at: log.facts.at(-1)!.position });
}

/** He has an account again. */
async function comeBack(): Promise<void> {
  const [time] = JSON.parse((await views.get('erased-users', [DAVE]))!) as [object];
  await note({ ...time, until: { position: log.facts.at(-1)!.position, ts: Date.now() } });
}

const note = (time: object): Promise<void> =>
  views.store.write([{ collection: 'erased-users', key: [DAVE], value: JSON.stringify([time]) }]);

/** Has resolution make an event of Dave the current one again. */
async function bringBack(
  { eventId, pdu }: RoomEvent,
  replaces: EventId,
  prevEvents?: readonly EventId[],
): Promise<void> {
  const state = [{ type: 'm.room.member', state_key: DAVE, event_id: eventId, replaces }];
  const said = {
    sender: CAROL,
    type: 'm.room.message',
    content: {},
    prevEvents: prevEvents ?? (await others.extremities()),
  };
  const brought = { current: { state, root: 'resolved' }, state_pdus: { [eventId]: JSON.stringify(pdu) } };
  await others.receive(said, 'pdu-accepted', brought);
  await views.follow();
}

async function shownTo(userId: UserId): Promise<string> {
  const { room: reader, rows } = await listStateFor(views, room.roomId, as(userId));
  const { row } = await getStateRow(views, room.roomId, as(userId), 'm.room.member', DAVE);
  return [...(await renderEvents(rows, { room: reader, now: 0 })), row.content].join();
}

describe('a member event of who has erased themself that resolution brought back', () => {
  let named: RoomEvent;

  beforeEach(async () => {
    const content = { membership: 'join', displayname: SECRET };
    named = await room.send({ type: 'm.room.member', stateKey: DAVE, sender: DAVE, content });
    const left = await room.send({
      type: 'm.room.member',
      stateKey: DAVE,
      sender: DAVE,
      content: { membership: 'leave' },
    });
    await erase();
    await room.setMembership(BOB, 'join');
    await bringBack(named, left.eventId);
  });

  it('is served redacted to who came after that, and before it was brought back', async () => {
    const shown = await shownTo(BOB);
    expect(shown).not.toContain(SECRET);
    expect(shown).toContain('"membership":"join"');
  });

  it('is served whole to who had seen it', async () => {
    expect(await shownTo(ALICE)).toContain(SECRET);
  });

  it('names nobody in the list of who is in the room', async () => {
    const members = await joinedMembersText(views, room.roomId);
    expect(JSON.parse(members)).toMatchObject({ [DAVE]: { display_name: null, avatar_url: null } });
    expect(members).not.toContain(SECRET);
  });

  it('is what it was, too, once their account is open again: what came before that stays erased', async () => {
    await comeBack();
    expect(await shownTo(BOB)).not.toContain(SECRET);
    expect(await shownTo(ALICE)).toContain(SECRET);
    expect(await joinedMembersText(views, room.roomId)).not.toContain(SECRET);
  });
});

test('a member event of whom an account is open again is served whole to everybody', async () => {
  await erase();
  await comeBack();
  const content = { membership: 'join', displayname: SECRET };
  await room.send({ type: 'm.room.member', stateKey: DAVE, sender: DAVE, content });
  await room.setMembership(BOB, 'join');
  await views.follow();
  expect(await shownTo(BOB)).toContain(SECRET);
  expect(JSON.parse(await joinedMembersText(views, room.roomId))).toMatchObject({ [DAVE]: { display_name: SECRET } });
});
