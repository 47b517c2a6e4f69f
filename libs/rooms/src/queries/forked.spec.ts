import { beforeEach, describe, expect, it } from 'vitest';
import type { EventId, UserId } from '#kernel/ids';
import type { ForkedRoom } from '#testing/forked-room';
import { ALICE, BOB, type LocalRoom } from '#testing/local-room';
import type { RoomViews } from '#testing/room-views';
import { CAROL, roomWithCarol } from '#testing/room-with-carol';
import type { HistoryVisibility } from '../facts/room-facts.js';
import { openRoom } from '../reading/open-room.js';
import type { Reader } from '../reading/reader.js';
import { findEventByTime } from './find-event-by-time.js';
import { getContext } from './get-context.js';
import { getEvent } from './get-event.js';
import { getStateRow } from './get-state.js';
import { listMessages } from './list-messages.js';
import { listRelations } from './list-relations.js';
import { readBundles } from './read-bundles.js';

const as = (userId: UserId): Reader => ({ userId, ignored: new Set() });

let room: LocalRoom;
let others: ForkedRoom;
let views: RoomViews;
/** Upon which another server's users speak that have not heard of what came after: Bob was not in the room, Dave was. */
let fork: readonly EventId[];
const DAVE = '@dave:a.example' as UserId;

beforeEach(async () => {
  ({ room, others, views } = await roomWithCarol());
  await room.setMembership(DAVE, 'join');
  fork = await others.extremities();
  await room.setMembership(BOB, 'join');
  await room.setMembership(DAVE, 'leave');
});

async function said(visibility: HistoryVisibility, relates?: object): Promise<EventId> {
  const content = { body: 'aside', ...(relates === undefined ? {} : { 'm.relates_to': { ...relates } }) };
  const draft = { sender: CAROL, type: 'm.room.message', content, prevEvents: fork };
  const { eventId } = await others.receive(draft, 'pdu-accepted', { visibility });
  await room.say('now');
  await views.follow();
  return eventId;
}

async function idsFor(userId: UserId): Promise<EventId[]> {
  const open = await openRoom(views, room.roomId, as(userId), 'events');
  return (await listMessages(open, { direction: 'b', limit: 100 })).rows.map(({ header }) => header.eventId);
}

describe('an event that is news, of who had not heard of all that was here', () => {
  it('is not seen by who was not in the room at it, though they were when it came', async () => {
    const aside = await said('joined');
    await expect(getEvent(views, room.roomId, aside, as(BOB))).rejects.toMatchObject({ errcode: 'M_NOT_FOUND' });
    await expect(getContext(views, room.roomId, aside, as(BOB), 10, {})).rejects.toThrow();
    expect(await idsFor(BOB)).not.toContain(aside);
    expect(await idsFor(ALICE)).toContain(aside);
    const [last] = await others.extremities();
    const around = await getContext(views, room.roomId, last!, as(BOB), 50, {});
    expect(around.before.map(({ header }) => header.eventId)).not.toContain(aside);
    const { sentAt } = (await getEvent(views, room.roomId, aside, as(ALICE))).row.header;
    const byTime = await findEventByTime(views, room.roomId, as(BOB), sentAt, 'f').catch(() => undefined);
    expect(byTime?.eventId).not.toBe(aside);
  });

  it('is seen by who was in the room at it, though they had left when it came, and by all where history is shared', async () => {
    expect((await getEvent(views, room.roomId, await said('joined'), as(DAVE))).row.content).toContain('aside');
    fork = (await room.say('on')).prevEvents;
    const shared = await said('shared');
    expect((await getEvent(views, room.roomId, shared, as(BOB))).row.content).toContain('aside');
  });

  it.each(['m.reference', 'm.thread', 'm.replace'])(
    'relates to nothing for who may not see it: %s',
    async (relType) => {
      const { eventId: parent } = await room.say('parent');
      const aside = await said('joined', { rel_type: relType, event_id: parent });
      const request = { direction: 'b', limit: 10 } as const;
      const { room: reader, row } = await getEvent(views, room.roomId, parent, as(BOB));
      expect((await listRelations(views, room.roomId, parent, as(BOB), request)).rows).toEqual([]);
      expect((await listRelations(views, room.roomId, parent, as(BOB), { ...request, recurse: true })).rows).toEqual(
        [],
      );
      expect(await readBundles(reader, [row], {})).toEqual(new Map());
      const { rows } = await listRelations(views, room.roomId, parent, as(ALICE), request);
      expect(rows.map(({ header }) => header.eventId)).toEqual([aside]);
    },
  );
});

describe('a state event that resolution makes current', () => {
  it('is shown redacted, and by which redaction, where that took effect before anybody was shown it', async () => {
    const topic = { sender: CAROL, type: 'm.room.topic', stateKey: '', content: { topic: 'oops' } };
    const [before] = await others.extremities();
    const hidden = await others.receive({ ...topic, prevEvents: fork }, 'pdu-soft-failed');
    await others.redact(hidden, before!);
    const state = [{ type: 'm.room.topic', state_key: '', event_id: hidden.eventId }];
    const remains = JSON.stringify({ ...hidden.pdu, content: {} });
    const brought = { current: { state, root: 'resolved' }, state_pdus: { [hidden.eventId]: remains } };
    await others.receive({ sender: CAROL, type: 'm.room.message', content: {}, prevEvents: fork }, undefined, brought);
    await views.follow();
    const { row } = await getEvent(views, room.roomId, hidden.eventId, as(ALICE));
    expect([row.content, row.header.redactedBy]).toEqual(['{}', before]);
    const { row: current } = await getStateRow(views, room.roomId, as(ALICE), 'm.room.topic', '');
    expect([current.content, current.header.redactedBy]).toEqual(['{}', before]);
  });
});
