import * as fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import type { EventId, UserId } from '#kernel/ids';
import type { HistoryVisibility } from '../facts/room-facts.js';
import type { ForkedRoom } from '#testing/forked-room';
import { ALICE, BOB, type LocalRoom } from '#testing/local-room';
import type { RoomViews } from '#testing/room-views';
import { CAROL, roomWithCarol } from '#testing/room-with-carol';
import { formatStreamPlace } from '#http/tokens/stream-token';
import type { TimelinePlace } from '#http/tokens/timeline-token';
import { NO_TYPING } from '#http/tokens/typing-mark';
import type { RoomEvent } from '#protocol/room-event';
import { depthKey } from '../projections/event-place.js';
import { rowHeaderOf, type TimelineRow } from '../projections/timeline-row.js';
import { findPlaces } from '../reading/event-rows.js';
import { openRoom } from '../reading/open-room.js';
import type { Reader } from '../reading/reader.js';
import { getContext } from './get-context.js';
import { getEvent } from './get-event.js';
import { listMembers } from './list-members.js';
import { listMessages } from './list-messages.js';
import { listRelations, type RelationsRequest } from './list-relations.js';
import { listThreads } from './list-threads.js';
import { readBundles } from './read-bundles.js';
import { parseTimelineBounds } from './timeline-places.js';

const DAVE = '@dave:a.example' as UserId;
const ERIN = '@erin:a.example' as UserId;

let room: LocalRoom;
let others: ForkedRoom;
let views: RoomViews;
/** After which the past is that the server missed: Alice and Dave were in the room, Erin was invited. */
let gap: readonly EventId[];

const as = (userId: UserId): Reader => ({ userId, ignored: new Set() });
const say = (body: string, prevEvents: readonly EventId[]) => ({
  sender: CAROL,
  type: 'm.room.message',
  content: { body },
  prevEvents,
});

beforeEach(async () => {
  ({ room, others, views } = await roomWithCarol());
  await room.setMembership(DAVE, 'join');
  await room.setMembership(ERIN, 'invite', ALICE);
  gap = await others.extremities();
  await room.say('after the gap');
  await room.setMembership(DAVE, 'leave');
  await room.setMembership(BOB, 'join');
  await room.say('now');
});

/** Fetches a message of the gap, last of all. */
async function fetchMissed(visibility: HistoryVisibility = 'shared'): Promise<EventId> {
  const { eventId } = await others.fetch(say('missed', gap), { visibility });
  await views.follow();
  return eventId;
}

/** The bodies of all messages that a reader is shown, oldest first. */
async function bodiesFor(userId: UserId): Promise<unknown[]> {
  const open = await openRoom(views, room.roomId, as(userId), 'events');
  const { rows } = await listMessages(open, { direction: 'f', limit: 100 });
  return rows.flatMap(({ header, content }) =>
    header.type === 'm.room.message' ? [(JSON.parse(content) as { body?: string }).body] : [],
  );
}

describe('an event that was fetched from the past', () => {
  it('stands in pages at its place in the graph, both ways, and in the order of arrival nowhere', async () => {
    const missed = await fetchMissed();
    expect(await bodiesFor(ALICE)).toEqual(['after the gap', 'missed', 'now']);
    const open = await openRoom(views, room.roomId, as(ALICE), 'events');
    const back = await listMessages(open, { direction: 'b', limit: 100 });
    const depths = back.rows.map(({ header }) => header.depth);
    expect(depths).toEqual(depths.toSorted((a, b) => b - a));
    expect(back.rows.map(({ header }) => header.eventId)).toContain(missed);
    const live = await views.scan('timeline', { prefix: [room.roomId], limit: 100 });
    expect(live.some(({ value }) => value.includes(missed))).toBe(false);
  });

  it('is seen by who was in the room at it, whenever it came here', async () => {
    const missed = await fetchMissed('joined');
    for (const userId of [ALICE, DAVE]) {
      expect((await getEvent(views, room.roomId, missed, as(userId))).row.header.eventId).toBe(missed);
    }
    expect(await bodiesFor(ALICE)).toContain('missed');
  });

  it('is not seen, where only members may, by who joined after it was sent and before it came', async () => {
    const missed = await fetchMissed('joined');
    await expect(getEvent(views, room.roomId, missed, as(BOB))).rejects.toMatchObject({ errcode: 'M_NOT_FOUND' });
    expect(await bodiesFor(BOB)).not.toContain('missed');
    const now = (await others.extremities())[0]!;
    const { before } = await getContext(views, room.roomId, now, as(BOB), 20, {});
    expect(before.map(({ header }) => header.eventId)).not.toContain(missed);
  });

  it('is seen by who joined later where the history is shared, and by the invited where it is for them', async () => {
    expect((await getEvent(views, room.roomId, await fetchMissed('shared'), as(BOB))).row.content).toContain('missed');
    await room.setMembership(ERIN, 'join');
    await room.setMembership(ERIN, 'leave');
    const { eventId } = await others.fetch(say('for the invited', gap), { visibility: 'invited' });
    await views.follow();
    expect((await getEvent(views, room.roomId, eventId, as(ERIN))).row.content).toContain('invited');
    await expect(getEvent(views, room.roomId, eventId, as(BOB))).rejects.toMatchObject({ errcode: 'M_NOT_FOUND' });
  });

  it('has the members of its time, told by who may see it', async () => {
    const missed = await fetchMissed('joined');
    const { header } = (await getEvent(views, room.roomId, missed, as(ALICE))).row;
    const at = { depth: header.depth, place: header.position };
    const membersFor = async (userId: UserId): Promise<unknown[]> => {
      const rows = await listMembers(await openRoom(views, room.roomId, as(userId)), { at, membership: 'join' });
      return rows.map((row) => row.header.stateKey).toSorted();
    };
    expect(await membersFor(ALICE)).toEqual([ALICE, CAROL, DAVE]);
    // Who may not see it is told what they may: the room as it is.
    expect(await membersFor(BOB)).toEqual([ALICE, BOB, CAROL]);
  });

  it('is not seen by who left before it', async () => {
    const { eventId } = await others.fetch(say('late', await others.extremities()));
    await views.follow();
    await expect(getEvent(views, room.roomId, eventId, as(DAVE))).rejects.toMatchObject({ errcode: 'M_NOT_FOUND' });
    expect((await getEvent(views, room.roomId, eventId, as(BOB))).row.content).toContain('late');
  });

  it('loses its content by a redaction as any other', async () => {
    const event = await others.fetch(say('oops', gap));
    await room.redact(event);
    await views.follow();
    const { row } = await getEvent(views, room.roomId, event.eventId, as(ALICE));
    expect(row.content).toBe('{}');
  });
});

describe('what events of the past say of others', () => {
  const relatesTo = (parent: EventId, relType: string, body: string) => ({
    ...say(body, gap),
    content: { body, 'm.relates_to': { event_id: parent, rel_type: relType } },
  });
  const related = async (parent: EventId, request: Partial<RelationsRequest> = {}) => {
    const all = { direction: 'b' as const, limit: 100, ...request };
    return listRelations(views, room.roomId, parent, as(ALICE), all);
  };
  const idsOf = (rows: readonly TimelineRow[]) => rows.map(({ header }) => header.eventId);

  it('is told at their place in the graph, page by page, both ways', async () => {
    const parent = gap[0]!;
    const before = await others.fetch(relatesTo(parent, 'm.reference', 'missed'));
    const now = await room.send({
      type: 'm.room.message',
      content: { body: 'now', 'm.relates_to': { event_id: parent, rel_type: 'm.reference' } },
    });
    const late = await others.fetch(relatesTo(parent, 'm.reference', 'missed too'));
    await views.follow();
    const forwards = idsOf((await related(parent, { direction: 'f' })).rows);
    expect(forwards).toEqual([before.eventId, late.eventId, now.eventId]);
    expect(idsOf((await related(parent)).rows)).toEqual(forwards.toReversed());
    const paged: EventId[] = [];
    for (let from: TimelinePlace | undefined, i = 0; i < 5; i++) {
      const page = await related(parent, { limit: 1, from });
      paged.push(...idsOf(page.rows));
      from = page.next;
      if (from === undefined) break;
    }
    expect(paged).toEqual(forwards.toReversed());
    expect(idsOf((await related(parent, { recurse: true })).rows)).toEqual(forwards.toReversed());
  });

  it('counts in a thread, whose newest event is still the newest', async () => {
    const root = await room.say('root');
    const reply = await room.send({
      type: 'm.room.message',
      content: { body: 'reply', 'm.relates_to': { event_id: root.eventId, rel_type: 'm.thread' } },
    });
    const missed = await others.fetch(relatesTo(root.eventId, 'm.thread', 'missed'));
    await views.follow();
    const { row, room: there } = await getEvent(views, room.roomId, root.eventId, as(ALICE));
    const thread = async () => (await readBundles(there, [row], {})).get(root.eventId)?.thread;
    expect(await thread()).toMatchObject({ count: 2, latest: { header: { eventId: reply.eventId } } });
    const { roots } = await listThreads(views, room.roomId, as(ALICE), { limit: 5, participated: false });
    expect(idsOf(roots)).toEqual([root.eventId]);
    await room.redact(missed);
    await views.follow();
    expect((await thread())?.count).toBe(1);
  });

  it('is told to nobody who may not see them', async () => {
    const parent = gap[0]!;
    const { eventId } = await others.fetch(relatesTo(parent, 'm.reference', 'missed'), { visibility: 'joined' });
    await views.follow();
    expect(idsOf((await related(parent)).rows)).toEqual([eventId]);
    const asBob = await listRelations(views, room.roomId, parent, as(BOB), { direction: 'b', limit: 9, recurse: true });
    expect(asBob.rows).toEqual([]);
  });
});

describe('an event that is not for anybody', () => {
  it.each(['pdu-soft-failed', 'pdu-rejected'])('is found by no reader: %s', async (outcome) => {
    const { eventId } = await others.receive(say('hidden', await others.extremities()), outcome);
    await views.follow();
    await expect(getEvent(views, room.roomId, eventId, as(ALICE))).rejects.toMatchObject({ errcode: 'M_NOT_FOUND' });
    expect(await bodiesFor(ALICE)).not.toContain('hidden');
  });
});

describe('a page of a room whose history is missing in part', () => {
  const page = async (from?: TimelinePlace, direction: 'b' | 'f' = 'b') =>
    listMessages(await openRoom(views, room.roomId, as(ALICE), 'events'), { direction, limit: 100, from });

  /** As the projector writes it of an event whose state others told. */
  async function missBefore({ eventId }: RoomEvent, parents: readonly EventId[]): Promise<void> {
    const [place] = await findPlaces(views, room.roomId, [eventId]);
    const key = [room.roomId, depthKey(place!.depth), place!.position];
    await views.store.write([{ collection: 'gaps', key, value: JSON.stringify(parents) }]);
  }

  it('ends where events are missing, says which, and goes past it when it is asked again', async () => {
    const behind = await others.fetch(say('behind it', gap));
    await views.follow();
    const missing = '$missing' as EventId;
    await missBefore(behind, [gap[0]!, missing]);
    const first = await page();
    expect(first.rows.at(-1)?.header.eventId).toBe(behind.eventId);
    expect(first.gaps).toEqual([{ place: first.end, missing: [missing] }]);
    const second = await page(first.end);
    expect(second.gaps).toEqual(first.gaps);
    expect(second.rows.at(-1)?.header.type).toBe('m.room.create');
    expect(second.end).toBeUndefined();
  });

  it('ends there forwards too, and goes past it when it is asked again', async () => {
    const behind = await others.fetch(say('behind it', gap));
    await views.follow();
    const missing = '$missing' as EventId;
    await missBefore(behind, [missing]);
    const first = await page(undefined, 'f');
    expect(first.rows.map(({ header }) => header.eventId)).not.toContain(behind.eventId);
    expect(first.gaps).toEqual([{ place: first.end, missing: [missing] }]);
    const second = await page(first.end, 'f');
    expect(second.gaps).toEqual(first.gaps);
    expect(second.rows[0]?.header.eventId).toBe(behind.eventId);
    // Both directions show the same events, in the same order.
    const back = [...(await page()).rows, ...(await page((await page()).end)).rows];
    expect([...first.rows, ...second.rows].map(({ header }) => header.eventId)).toEqual(
      back.map(({ header }) => header.eventId).toReversed(),
    );
  });

  it('tells of it where the room begins with it, and is not empty', async () => {
    await views.follow();
    const create = (await page(undefined, 'f')).rows[0]!;
    await missBefore(others.get(create.header.eventId)!, ['$missing' as EventId]);
    const { rows, gaps } = await page(undefined, 'f');
    expect(rows[0]?.header.eventId).toBe(create.header.eventId);
    expect(gaps.map(({ missing }) => missing)).toEqual([['$missing']]);
  });

  it('is found behind however many that have been filled', async () => {
    const first = await others.fetch(say('first', gap));
    const filled: RoomEvent[] = [];
    for (let i = 0; i < 60; i++) filled.push(await others.fetch(say('filled', gap)));
    await views.follow();
    for (const event of filled) await missBefore(event, gap);
    await missBefore(first, ['$missing' as EventId]);
    expect((await page()).gaps.map(({ missing }) => missing)).toEqual([['$missing']]);
  });

  it('ends what surrounds an event too: what lies before a gap does not', async () => {
    const behind = await others.fetch(say('behind it', gap));
    const after = await others.fetch(say('after it', [behind.eventId]));
    await views.follow();
    await missBefore(behind, ['$missing' as EventId]);
    const around = (eventId: EventId) => getContext(views, room.roomId, eventId, as(ALICE), 40, {});
    const at = await around(behind.eventId);
    expect([at.before, at.gaps.map(({ missing }) => missing)]).toEqual([[], [['$missing']]]);
    expect(at.after.map(({ header }) => header.eventId)).toContain(after.eventId);
    const later = await around(after.eventId);
    expect(later.before.at(-1)?.header.eventId).toBe(behind.eventId);
    expect(later.gaps).toEqual(at.gaps);
  });

  it('is surrounded, for who is but invited, by the state alone that they may see', async () => {
    const { eventId } = await others.fetch(say('for the invited', gap), { visibility: 'invited' });
    await views.follow();
    const stateFor = async (userId: UserId) =>
      (await getContext(views, room.roomId, eventId, as(userId), 0, {})).state.map(({ header }) => header.stateKey);
    expect(await stateFor(ALICE)).toContain(DAVE);
    expect(await stateFor(ERIN)).not.toContain(DAVE);
  });

  it('is surrounded by all of the state where it opens the room to the world, however soon that is taken back', async () => {
    const { eventId } = await room.setState('m.room.history_visibility', { history_visibility: 'world_readable' });
    await room.setState('m.room.history_visibility', { history_visibility: 'joined' });
    await views.follow();
    const stranger = as('@stranger:a.example' as UserId);
    const { state } = await getContext(views, room.roomId, eventId, stranger, 0, {});
    expect(state.map(({ header }) => header.stateKey)).toContain(DAVE);
  });

  it('is told with what relates to an event before it: more of that may be missing', async () => {
    const behind = await others.fetch(say('behind it', gap));
    await views.follow();
    await missBefore(behind, ['$missing' as EventId]);
    const gapsOf = async (eventId: EventId) =>
      (await listRelations(views, room.roomId, eventId, as(ALICE), { direction: 'b', limit: 9 })).gaps;
    expect((await gapsOf(gap[0]!)).map(({ missing }) => missing)).toEqual([['$missing']]);
    expect(await gapsOf(behind.eventId)).toEqual([]);
  });

  it('is whole once what was missing has come', async () => {
    const behind = await others.fetch(say('behind it', gap));
    await views.follow();
    await missBefore(behind, gap);
    const { rows, gaps, end } = await page();
    expect([rows.at(-1)?.header.type, gaps, end]).toEqual(['m.room.create', [], undefined]);
  });
});

describe('a page from where an answer to /sync began', () => {
  it('has every event that came before, also those that stand after it in the graph', async () => {
    const past = gap;
    const deep = [await room.say('deep'), await room.say('deeper')];
    // Of another extremity, and late: no deeper than what the room began with.
    const late = await others.receive(say('late', past));
    const later = await others.receive(say('later', [late.eventId]));
    await room.say('last of all');
    await views.follow();
    const [place] = await findPlaces(views, room.roomId, [later.eventId]);
    const token = formatStreamPlace(views.history, { place: { before: place!.position }, typing: NO_TYPING });
    const bounds = await parseTimelineBounds(views, room.roomId, { from: token, to: undefined }, 'b');
    const open = await openRoom(views, room.roomId, as(ALICE), 'events');
    const { rows } = await listMessages(open, { direction: 'b', limit: 100, ...bounds });
    const ids = new Set(rows.map(({ header }) => header.eventId));
    const before = await views.scan('timeline', {
      prefix: [room.roomId],
      before: [room.roomId, place!.position],
      limit: 100,
    });
    for (const { value } of before) expect(ids).toContain(rowHeaderOf(value).eventId);
    for (const { eventId } of deep) expect(ids).toContain(eventId);
  });
});

describe('for every life in a room', () => {
  /** What can become of a member, and who brings it about. */
  const STEPS: Readonly<Record<string, readonly (readonly [membership: string, by: UserId])[]>> = {
    leave: [
      ['join', BOB],
      ['invite', ALICE],
    ],
    invite: [
      ['join', BOB],
      ['leave', BOB],
    ],
    join: [
      ['leave', BOB],
      ['ban', ALICE],
    ],
    ban: [['leave', ALICE]],
  };

  it('an event of the past is seen as the rules say of where it was sent, whenever it came', async () => {
    const visibility = fc.constantFrom<HistoryVisibility>('invited', 'joined', 'shared', 'world_readable');
    const life = fc.array(fc.nat(1), { minLength: 1, maxLength: 6 });
    const property = fc.asyncProperty(life, visibility, fc.nat(), async (choices, seenBy, at) => {
      const memberships = ['leave'];
      await room.setMembership(BOB, 'leave');
      const places = [await others.extremities()];
      for (const choice of choices) {
        const steps = STEPS[memberships.at(-1)!]!;
        const [membership, by] = steps[choice % steps.length]!;
        await room.setMembership(BOB, membership, by);
        memberships.push(membership);
        places.push(await others.extremities());
      }
      const i = at % places.length;
      const { eventId } = await others.fetch(say('x', places[i]!), { visibility: seenBy });
      await views.follow();
      const found = await getEvent(views, room.roomId, eventId, as(BOB)).catch(() => undefined);
      const isInLater = memberships.slice(i).includes('join');
      const there = memberships[i]!;
      const isSeen =
        seenBy === 'world_readable' ||
        there === 'join' ||
        (seenBy === 'shared' && isInLater) ||
        (seenBy === 'invited' && there === 'invite');
      expect(found !== undefined).toBe(isSeen);
      // The next life begins outside.
      if (memberships.at(-1) === 'ban') await room.setMembership(BOB, 'leave', ALICE);
      if (memberships.at(-1) !== 'leave' && memberships.at(-1) !== 'ban') await room.setMembership(BOB, 'leave');
      await room.setMembership(BOB, 'join');
    });
    await fc.assert(property, { numRuns: 15 });
  });
});
