import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { EventId, RoomId, UserId } from '#kernel/ids';
import type { RecordedFact } from '#event-store/event-store';
import { ALICE, TEST_AUTHOR } from '#testing/local-room';
import { MemoryReadModels } from '#testing/memory-read-models';
import { applyFacts } from '#testing/project';
import { type ForeignPdu, ForeignServer } from '#testing/receiving/foreign-server';
import { keysKnownTo } from '#testing/receiving/memory-room';
import type { RoomElsewhere } from '#testing/receiving/room-elsewhere';
import { openSharedRoom } from '#testing/receiving/shared-room';
import { requesterOf, RoomCommands } from '#testing/room-commands';
import { auditRoom } from '../audit/audit-room.js';
import { ROOM_MEMBERS } from '../projections/membership.projector.js';
import { createRoomFactReader } from '../projections/room-fact-reader.js';
import { TIMELINE } from '../projections/timeline-collections.js';
import { timelineProjector } from '../projections/timeline.projector.js';
import { parseRow, rowHeaderOf } from '../projections/timeline-row.js';
import { getEvent } from '../queries/get-event.js';
import type { Policy } from '../room-policy.js';
import type { ServerKeys } from '../server-keys.js';
import type { Receipt } from './receiving.js';
import { RedactEvent } from './redact-event.js';
import type { EventSent } from './transaction.js';

const OTHER = new ForeignServer('b.example', 2);
const BOB = OTHER.user('bob');
const CAROL = OTHER.user('carol');
const KEYS: ServerKeys = keysKnownTo(TEST_AUTHOR, OTHER);

let home: RoomCommands;
let roomId: RoomId;
/** The room as the other server has it. */
let there: RoomElsewhere;

beforeEach(async () => {
  ({ home, roomId, there } = await openSharedRoom(OTHER, KEYS));
});

const receive = (...pdus: readonly ForeignPdu[]): Promise<Receipt> => there.sends(home, ...pdus);

const redactAs = (userId: UserId, eventId: EventId): Promise<EventSent> =>
  home.execute(new RedactEvent(requesterOf(userId), roomId, eventId, {}));
const refusalOf = (userId: UserId, eventId: EventId): Promise<unknown> =>
  redactAs(userId, eventId).catch(({ errcode }) => errcode);

const kindsOf = ({ received }: Receipt): string[] => received.map(({ kind }) => kind);

describe('several redactions of one event', () => {
  it.each(['at once', 'one after another', 'before the event', 'on both sides of it'])(
    'take effect, the first for good, and are shown: received %s',
    async (how) => {
      const [join, hello] = [await there.joins(BOB), await there.says('hello')];
      const redact = (reason: string) =>
        there.makes({
          type: 'm.room.redaction',
          redacts: hello.event.eventId,
          content: { reason },
          prev: [join.event.eventId],
        });
      const redactions = [await redact('one'), await redact('another')];
      await receive(join);
      if (how === 'at once') await receive(hello, ...redactions);
      else if (how === 'one after another') for (const one of [hello, ...redactions]) await receive(one);
      else if (how === 'before the event') for (const one of [...redactions, hello]) await receive(one);
      else for (const one of [redactions[0]!, hello, redactions[1]!]) await receive(one);
      await home.views.follow();
      const reader = { userId: ALICE, ignored: new Set<UserId>() };
      const { row } = await getEvent(home.views, roomId, hello.event.eventId, reader);
      const [first] = home.redacted(roomId);
      expect(row.header.redactedBy).toBe(first!.redacted_by);
      for (const { event } of redactions) {
        const shown = await getEvent(home.views, roomId, event.eventId, reader);
        expect(shown.row.header.redacts).toBe(hello.event.eventId);
      }
    },
  );

  it('are shown where their event is not, and what may not redact it is not', async () => {
    const [join, carolJoins] = [await there.joins(BOB), await there.joins(CAROL)];
    await receive(join, carolJoins);
    await home.on(ALICE, 'ban', roomId, CAROL);
    const late = await there.says('late', { sender: CAROL });
    expect(kindsOf(await receive(late))).toEqual(['soft-failed']);
    await there.hear(home);
    const redact = () => there.makes({ type: 'm.room.redaction', redacts: late.event.eventId });
    const redactions = [await redact(), await redact()];
    await receive(...redactions);
    await home.views.follow();
    const reader = { userId: ALICE, ignored: new Set<UserId>() };
    for (const { event } of redactions) await getEvent(home.views, roomId, event.eventId, reader);
    const said = await home.send(ALICE, roomId);
    await there.hear(home);
    const forbidden = await there.makes({ type: 'm.room.redaction', redacts: said });
    await receive(forbidden);
    await home.execute(new RedactEvent(requesterOf(ALICE), roomId, said, {}, 'txn'));
    await there.hear(home);
    const after = await there.makes({ type: 'm.room.redaction', redacts: said });
    await receive(after);
    await home.views.follow();
    for (const { event } of [forbidden, after]) {
      await expect(getEvent(home.views, roomId, event.eventId, reader)).rejects.toThrow('No such');
    }
  });
});

describe('a redaction that names another event where its room version has no place for one', () => {
  it('is shown as one of the event that it redacts, and is told so', async () => {
    const said = await home.send(ALICE, roomId);
    await there.hear(home);
    const [join, hello] = [await there.joins(BOB), await there.says('hello')];
    const redacts = hello.event.eventId;
    const redaction = await there.makes({ type: 'm.room.redaction', redacts, pdu: { redacts: said } });
    await receive(join, hello, redaction);
    await home.views.follow();
    const { row } = await getEvent(home.views, roomId, redaction.event.eventId, { userId: ALICE, ignored: new Set() });
    expect(row.header.redacts).toBe(redacts);
    expect(JSON.parse(row.content)).toEqual({ redacts });
    const telling = { people: String, messages: false };
    for await (const { event_id: eventId, what } of auditRoom(home.views.today, roomId, telling)) {
      if (eventId === redaction.event.eventId) expect(what).toBe(`redacted a message of ${BOB}`);
    }
  });
});

describe('an event that nobody here is shown', () => {
  it('is redacted by whoever has the level and has heard of it, and by nobody else', async () => {
    const dave = '@dave:a.example' as UserId;
    await home.join(dave, roomId);
    const carolJoins = await there.joins(CAROL);
    await receive(carolJoins);
    await home.on(ALICE, 'ban', roomId, CAROL);
    const late = await there.says('late', { sender: CAROL });
    expect(kindsOf(await receive(late))).toEqual(['soft-failed']);
    const { eventId } = late.event;
    await home.views.follow();
    const unheardOf = `$${'x'.repeat(43)}` as EventId;
    for (const [userId, id] of [
      [dave, eventId],
      [dave, unheardOf],
    ] as const) {
      await expect(redactAs(userId, id)).rejects.toMatchObject({ errcode: 'M_INVALID_PARAM' });
    }
    expect(home.redacted(roomId)).toEqual([]);
    const sent: EventSent = await redactAs(ALICE, eventId);
    expect(home.redacted(roomId)).toMatchObject([
      { event_id: eventId, redacted_by: sent.eventId, pdu: { content: {} } },
    ]);
    const { result } = await home.workers.run(roomId, { actor: ALICE }, ({ known }) => known.find([eventId]));
    expect(result.get(eventId)).toMatchObject({ outcome: 'soft-failed', isRedacted: true });
  });
});

describe('a redaction that takes effect as it is accepted', () => {
  it('is shown by views that have not come to the effect: a client that had their place was never told of it', async () => {
    const hello = await there.says('hello');
    await receive(await there.joins(BOB), hello);
    const { eventId } = hello.event;
    await receive(await there.makes({ type: 'm.room.redaction', redacts: eventId, content: {} }));
    await home.views.follow();
    await redactAs(ALICE, eventId);
    const facts = home.facts(roomId);
    const isRedaction = ({ data }: RecordedFact): boolean => data.includes('"type":"m.room.redaction"');
    const redactions = facts.filter((fact) => fact.type === 'pdu-accepted' && isRedaction(fact));
    expect(redactions).toHaveLength(2);
    for (const redaction of redactions) {
      const rows = new MemoryReadModels();
      await applyFacts(timelineProjector(createRoomFactReader()), facts.slice(0, redaction.revision + 1), rows);
      const row = await TIMELINE.get(rows, [roomId, redaction.position]);
      expect(rowHeaderOf(row!)).toMatchObject({ type: 'm.room.redaction', isWaiting: false });
    }
  });
});

it('is refused where it would have none on what it stands on, though who sends it has the level by now', async () => {
  const dave = '@dave:a.example' as UserId;
  await home.join(dave, roomId);
  // Nobody here may bring extremities together before.
  const levels = { users: { [CAROL]: 100, [ALICE]: 90, [BOB]: 50, [dave]: 40 }, redact: 40 };
  const events = { 'org.matrix.dummy_event': 100 };
  await home.setState(ALICE, roomId, 'm.room.power_levels', { ...levels, events });
  await there.hear(home);
  const joins = [await there.joins(BOB), await there.joins(CAROL)];
  const hello = await there.says('hello', { sender: CAROL });
  const prev = [hello.event.eventId];
  // More extremities than an event may name: the next stands on what takes Dave's level away, and not on why that counts for nothing.
  const branches: ForeignPdu[] = [];
  for (let i = 0; i < 25; i++) branches.push(await there.says(`${i}`, { prev, ts: i }));
  const content = { ...levels, events, users: { ...levels.users, [dave]: 0 } };
  branches[5] = await there.makes({ type: 'm.room.power_levels', stateKey: '', content, prev, ts: 5 });
  const ban = { type: 'm.room.member', sender: CAROL, stateKey: BOB, content: { membership: 'ban' } };
  branches.push(await there.makes({ ...ban, prev, ts: 100 }));
  await receive(...joins, hello);
  await receive(...branches);
  await home.views.follow();
  const refused = redactAs(dave, hello.event.eventId);
  await expect(refused).rejects.toMatchObject({ errcode: 'M_FORBIDDEN', message: 'It would take no effect' });
  expect(home.redacted(roomId)).toEqual([]);
});

it('takes effect on an event of ours that somebody whom the policy asked knew before it was here', async () => {
  await home.setState(ALICE, roomId, 'm.room.power_levels', { users: { [ALICE]: 100, [BOB]: 50 } });
  await there.hear(home);
  await receive(await there.joins(BOB));
  let redaction: ForeignPdu | undefined;
  const policy: Policy = async ({ type, eventId }) => {
    if (type === 'm.room.message' && redaction === undefined) {
      redaction = await there.makes({ type: 'm.room.redaction', sender: BOB, redacts: eventId, content: {} });
      await receive(redaction);
    }
    return { isAllowed: true };
  };
  const asking = new RoomCommands(home.views, TEST_AUTHOR, KEYS, policy);
  const eventId = await asking.send(ALICE, roomId);
  const effect = { event_id: eventId, redacted_by: redaction?.event.eventId };
  expect(home.redacted(roomId)).toMatchObject([effect]);
  const { data } = home.facts(roomId, 'pdu-accepted').at(-1)!;
  expect(JSON.parse(data)).toMatchObject(effect);
});

describe('an event that has not come', () => {
  const reader = { userId: ALICE, ignored: new Set<UserId>() };

  it('is shown redacted as it comes by views that have not come to the effect: a client that had their place kept it whole', async () => {
    const [join, hello] = [await there.joins(BOB), await there.says('hello')];
    await receive(join);
    await home.views.follow();
    const { eventId } = hello.event;
    const sent = await redactAs(ALICE, eventId);
    await receive(hello);
    const facts = home.facts(roomId);
    const came = facts.find(({ type, data }) => type === 'pdu-accepted' && data.includes(`"event_id":"${eventId}"`))!;
    const rows = new MemoryReadModels();
    await applyFacts(timelineProjector(createRoomFactReader()), facts.slice(0, came.revision + 1), rows);
    const row = parseRow((await TIMELINE.get(rows, [roomId, came.position]))!);
    expect(row).toMatchObject({ header: { eventId, redactedBy: sent.eventId }, content: '{}' });
  });

  it('is redacted as it comes, by whoever had the level; nobody is shown the redaction before', async () => {
    const dave = '@dave:a.example' as UserId;
    await home.join(dave, roomId);
    await there.hear(home);
    const [join, hello] = [await there.joins(BOB), await there.says('hello')];
    await receive(join);
    await home.views.follow();
    const { eventId } = hello.event;
    expect(await refusalOf(dave, eventId)).toBe('M_INVALID_PARAM');
    expect(await refusalOf(ALICE, '$too-short' as EventId)).toBe('M_INVALID_PARAM');
    const sent = await redactAs(ALICE, eventId);
    await expect(getEvent(home.views, roomId, sent.eventId, reader)).rejects.toThrow('No such');
    expect(kindsOf(await receive(hello))).toEqual(['accepted']);
    await home.views.follow();
    const { row } = await getEvent(home.views, roomId, eventId, reader);
    expect(row.header.redactedBy).toBe(sent.eventId);
    expect((await getEvent(home.views, roomId, sent.eventId, reader)).row.header.redacts).toBe(eventId);
  });

  it('is not where no other server has been in the room', async () => {
    const elsewhere = await there.says('hello');
    expect(await refusalOf(ALICE, elsewhere.event.eventId)).toBe('M_INVALID_PARAM');
  });

  it('costs no look through the members of the room where who asks may not redact it, or is a stranger', async () => {
    const dave = '@dave:a.example' as UserId;
    await home.join(dave, roomId);
    const scans = vi.spyOn(home.views, 'scan');
    const lookedThrough = (): number => scans.mock.calls.filter(([name]) => name === ROOM_MEMBERS.name).length;
    const unheardOf = `$${'x'.repeat(43)}` as EventId;
    expect(await refusalOf(dave, unheardOf)).toBe('M_INVALID_PARAM');
    expect(await refusalOf('@stranger:a.example' as UserId, unheardOf)).toBe('M_FORBIDDEN');
    expect(lookedThrough()).toBe(0);
    expect(await refusalOf(ALICE, unheardOf)).toBe('M_INVALID_PARAM');
    expect(lookedThrough()).toBe(1);
  });

  it('is redacted by twenty redactions at most that waited for it: each is a fact, and all of them are in one write', async () => {
    const [join, hello] = [await there.joins(BOB), await there.says('hello')];
    const prev = [join.event.eventId];
    const redactions: ForeignPdu[] = [];
    for (let i = 0; i < 30; i++) {
      const [redacts, content] = [hello.event.eventId, { reason: String(i) }];
      redactions.push(await there.makes({ type: 'm.room.redaction', redacts, content, prev }));
    }
    await receive(join, ...redactions, hello);
    expect(home.redacted(roomId).map(({ redacted_by: by }) => by)).toEqual(
      redactions.slice(0, 20).map(({ event }) => event.eventId),
    );
  });
});
