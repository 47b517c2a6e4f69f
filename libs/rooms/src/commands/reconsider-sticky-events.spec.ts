import { beforeEach, describe, expect, it } from 'vitest';
import type { EventId, RoomId, UserId } from '#kernel/ids';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import type { StateTrie } from '#protocol/state-trie/state-trie';
import { ALICE, TEST_AUTHOR } from '#testing/local-room';
import { MemoryEventStore } from '#testing/memory-event-store';
import { type ForeignPdu, ForeignServer } from '#testing/receiving/foreign-server';
import { keysKnownTo } from '#testing/receiving/memory-room';
import { RoomElsewhere } from '#testing/receiving/room-elsewhere';
import { requesterOf, RoomCommands } from '#testing/room-commands';
import { RoomViews } from '#testing/room-views';
import { auditRoom } from '../audit/audit-room.js';
import type { RowHeader } from '../projections/timeline-row.js';
import { listStickyEvents } from '../reading/sticky-events.js';
import { findRoomReader } from '../reading/room-reader.js';
import { type Policy, policyEventIdOf } from '../room-policy.js';
import type { Receipt } from './receiving.js';
import { ReconsiderStickyEvents } from './reconsider-sticky-events.js';
import { RedactEvent } from './redact-event.js';

const HOUR = 3_600_000;
const OTHER = new ForeignServer('b.example', 2);
const [BOB, CAROL] = [OTHER.user('bob'), OTHER.user('carol')];
const VERSION = findRoomVersion('11')!;
const KEYS = keysKnownTo(TEST_AUTHOR, OTHER);

let home: RoomCommands;
let roomId: RoomId;
/** The room as the other server has it. */
let there: RoomElsewhere;

const begin = async (policy?: Policy): Promise<void> => {
  home = new RoomCommands(new RoomViews(new MemoryEventStore()), TEST_AUTHOR, KEYS, policy);
  roomId = await home.open();
  there = new RoomElsewhere(roomId, VERSION, KEYS, OTHER);
  await there.hear(home);
  await receive(await there.joins(BOB), await there.joins(CAROL));
};
beforeEach(() => begin());

const receive = (...pdus: readonly ForeignPdu[]): Promise<Receipt> => there.sends(home, ...pdus);

/** A sticky event of a user of the other server, which has not heard of what was said here last. */
const sticky = (body: string, { sender = CAROL, ms = HOUR } = {}): Promise<ForeignPdu> =>
  there.makes({
    type: 'a.type',
    sender,
    content: { body },
    pdu: { msc4354_sticky: { duration_ms: ms }, origin_server_ts: home.now },
  });

async function reconsider(...userIds: readonly UserId[]): Promise<boolean> {
  await home.views.follow();
  return home.execute(new ReconsiderStickyEvents(roomId, new Set(userIds), { actor: ALICE }));
}

/** What Alice is told to be sticky. */
const told = async (): Promise<EventId[]> => (await toldRows()).map(({ eventId }) => eventId);

async function toldRows(): Promise<RowHeader[]> {
  await home.views.follow();
  const room = await findRoomReader(home.views, roomId, { userId: ALICE, ignored: new Set() });
  const range = { after: undefined, upTo: await home.log.head(), now: home.now };
  return (await listStickyEvents(room, range)).map(({ row }) => row.header);
}

const lifted = (): EventId[] =>
  home.facts(roomId, 'soft-failure-lifted').map(({ data }) => (JSON.parse(data) as { event_id: EventId }).event_id);

/** What `annals verify` finds wrong with the room. */
const problems = (): string[] => home.problems(roomId);

describe('a sticky event that was soft-failed', () => {
  it('is told of once the room allows it, and no sooner, and is in the history of the room', async () => {
    await home.on(ALICE, 'ban', roomId, CAROL);
    const late = await sticky('late');
    expect(await receive(late)).toMatchObject({ received: [{ kind: 'soft-failed' }] });
    expect([await told(), await reconsider(CAROL), await told()]).toEqual([[], false, []]);
    await home.on(ALICE, 'unban', roomId, CAROL);
    expect([await reconsider(CAROL), await told()]).toEqual([false, []]);
    await there.hear(home);
    await receive(await there.joins(CAROL));
    expect(await reconsider(BOB)).toBe(false);
    expect(await reconsider(CAROL)).toBe(true);
    expect(await told()).toEqual([late.event.eventId]);
    expect([await reconsider(CAROL), lifted()]).toEqual([false, [late.event.eventId]]);
    const words: string[] = [];
    for await (const { fact, what } of auditRoom(home.views.today, roomId, { people: String, messages: false }))
      if (fact === 'soft-failure-lifted') words.push(what);
    expect(words).toEqual([expect.stringContaining('which was soft-failed, as long as it is sticky')]);
    expect(problems()).toEqual([]);
    home.now += HOUR;
    expect(await told()).toEqual([]);
  });

  it('is not looked at again once it is over, or was redacted', async () => {
    await home.on(ALICE, 'kick', roomId, CAROL);
    const [short, oops] = [await sticky('short', { ms: 1 }), await sticky('oops')];
    await receive(short, oops);
    await home.execute(new RedactEvent(requesterOf(ALICE), roomId, oops.event.eventId, {}));
    home.now += 10;
    await there.hear(home);
    await receive(await there.joins(CAROL));
    expect([await reconsider(CAROL), await told(), lifted()]).toEqual([false, [], []]);
  });

  it('is told of no more once it is redacted', async () => {
    await home.on(ALICE, 'kick', roomId, CAROL);
    const late = await sticky('late');
    await receive(late);
    await there.hear(home);
    await receive(await there.joins(CAROL));
    expect(await reconsider(CAROL)).toBe(true);
    await home.execute(new RedactEvent(requesterOf(ALICE), roomId, late.event.eventId, {}));
    expect(await told()).toEqual([]);
    expect(problems()).toEqual([]);
  });

  it('is hidden as any other message, and shown again', async () => {
    await home.on(ALICE, 'kick', roomId, CAROL);
    const late = await sticky('late');
    await receive(late);
    await there.hear(home);
    await receive(await there.joins(CAROL));
    await reconsider(CAROL);
    const says = (visibility: string): Promise<EventId> => {
      const relation = { rel_type: 'm.visibility', event_id: late.event.eventId, visibility };
      return home.send(ALICE, roomId, { 'm.relates_to': relation });
    };
    const hiding = await says('hidden');
    expect(await toldRows()).toEqual([expect.objectContaining({ hiddenBy: hiding })]);
    // Of two of one moment the event id would decide.
    home.now++;
    await says('visible');
    expect(await toldRows()).toEqual([expect.objectContaining({ hiddenBy: undefined })]);
  });

  it('is not let in where a policy does not want it', async () => {
    const wants: Policy = ({ content }) =>
      Promise.resolve(content['body'] === 'spam' ? { isAllowed: false, reason: 'spam' } : { isAllowed: true });
    await begin(Object.assign(wants, { concerns: (state: StateTrie) => policyEventIdOf(state) !== undefined }));
    await home.setState(ALICE, roomId, 'm.room.policy', {});
    await there.hear(home);
    await home.on(ALICE, 'kick', roomId, CAROL);
    await receive(await sticky('spam'), await sticky('spam', { sender: BOB }));
    await there.hear(home);
    await receive(await there.joins(CAROL));
    expect([await reconsider(CAROL, BOB), await told()]).toEqual([false, []]);
  });
});

it('a log that lets in what was not soft-failed, or is not allowed, does not hold', async () => {
  const fine = await sticky('fine');
  await receive(fine);
  const { eventId } = fine.event;
  const letIn = (id: EventId) =>
    home.workers.run(roomId, { actor: ALICE }, async (turn) => turn.append('soft-failure-lifted', { event_id: id }));
  await letIn(eventId);
  expect(problems()).toEqual([`${eventId}: is let in, and was not soft-failed`]);
  await home.on(ALICE, 'ban', roomId, CAROL);
  const late = await sticky('late');
  await receive(late);
  await letIn(late.event.eventId);
  expect(problems()[1]).toContain('is let in, and is not authorised by the current state');
});
