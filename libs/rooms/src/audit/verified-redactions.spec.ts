import { beforeAll, describe, expect, test } from 'vitest';
import type { RecordedFact } from '#event-store/event-store';
import type { EventId, RoomId, UserId } from '#kernel/ids';
import { canonicalJson } from '#protocol/canonical-json/canonical-json';
import { redact } from '#protocol/redaction/redact';
import type { RoomEvent } from '#protocol/room-event';
import { StateTrie } from '#protocol/state-trie/state-trie';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { ForkedRoom, OTHER_SERVER } from '#testing/forked-room';
import { LocalRoom } from '#testing/local-room';
import { MemoryEventStore } from '#testing/memory-event-store';
import { type ForeignDraft, type ForeignPdu, ForeignServer } from '#testing/receiving/foreign-server';
import { makeOn, openRoom } from '#testing/receiving/make-on';
import type { MemoryRoom } from '#testing/receiving/memory-room';
import { recordedFactsOf } from '#testing/receiving/verify-facts';
import { factWithPdu } from '../facts/fact-text.js';
import type { PduAccepted, PduRedacted } from '../facts/room-facts.js';
import type { VerifiedEvents } from './verified-events.js';
import { VerifiedRedactions } from './verified-redactions.js';
import { type Finding, RoomVerifier } from './verify-room.js';

const SERVERS = [
  new ForeignServer('a.example', 1),
  new ForeignServer('b.example', 2),
  new ForeignServer('c.example', 3),
] as const;
const [ALICE, BOB, CAROL] = [SERVERS[0].user('alice'), SERVERS[1].user('bob'), SERVERS[2].user('carol')];
let version: RoomVersion;
let room: MemoryRoom;
let said = 0;

type Doing = Omit<ForeignDraft, 'sender' | 'prev' | 'auth'>;

function make(sender: UserId, draft: Doing): Promise<ForeignPdu> {
  const server = SERVERS.find(({ name }) => sender.endsWith(`:${name}`))!;
  return makeOn(room, server, { sender, ...draft });
}

const says = (sender: UserId): Promise<ForeignPdu> =>
  make(sender, { type: 'm.room.message', content: { body: `${said++}` } });

async function receive(pdu: ForeignPdu): Promise<ForeignPdu> {
  await room.receive(pdu.text);
  return pdu;
}

const redacts = async (sender: UserId, { event }: ForeignPdu): Promise<ForeignPdu> =>
  receive(await make(sender, { type: 'm.room.redaction', redacts: event.eventId }));

const setLevels = async (users: Record<UserId, number>): Promise<ForeignPdu> => {
  const own = version.privilegedCreators ? {} : { [ALICE]: 100 };
  const content = { users: { ...own, ...users } };
  return receive(await make(ALICE, { type: 'm.room.power_levels', stateKey: '', content }));
};

const setMember = async (sender: UserId, userId: UserId, membership: string): Promise<ForeignPdu> =>
  receive(await make(sender, { type: 'm.room.member', stateKey: userId, content: { membership } }));

/** But for signatures. */
function check(facts: readonly RecordedFact[], roomId = room.roomId): Finding[] {
  const verifier = new RoomVerifier(roomId, () => undefined);
  return [...facts.flatMap((fact) => verifier.check(fact)), ...verifier.end()];
}

function acceptedRedactions(facts: readonly RecordedFact[]): (PduAccepted & { readonly revision: number })[] {
  return facts.flatMap(({ type, data, revision }) => {
    const body = JSON.parse(data) as PduAccepted;
    return type === 'pdu-accepted' && body.pdu['type'] === 'm.room.redaction' ? [{ ...body, revision }] : [];
  });
}

/** The facts with one more behind some other: that a redaction took effect on an event. */
function withEffect(behind: number, { event }: ForeignPdu, redactedBy: EventId): RecordedFact[] {
  const facts = recordedFactsOf(room);
  const header = { event_id: event.eventId, redacted_by: redactedBy, room_version: version.id };
  const text = canonicalJson(redact(event.pdu, version), { lenient: true });
  const effect = { ...facts[behind]!, type: 'pdu-redacted', data: factWithPdu(header, text) };
  return facts.toSpliced(behind + 1, 0, { ...effect, revision: behind + 0.5 });
}

describe.each(['1', '2', '3', '11', '12'])('redactions in a room of version %s', (id) => {
  /** Of Alice, which Carol may not redact. */
  let hello: ForeignPdu;
  let late: ForeignPdu;
  /** What Carol sent, who never has the level when she does. */
  let refused: readonly ForeignPdu[];

  beforeAll(async () => {
    version = findRoomVersion(id)!;
    room = await openRoom(version, SERVERS, { [BOB]: 50 });
    for (const user of [BOB, CAROL]) await setMember(user, user, 'join');
    hello = await receive(await says(ALICE));
    late = await says(ALICE);
    refused = [await redacts(CAROL, hello), await redacts(CAROL, late)];
    await redacts(BOB, hello);
    await redacts(BOB, late);
    // Who has the level when the event comes is not asked.
    await setLevels({ [BOB]: 0, [CAROL]: 50 });
    await receive(late);
    await setLevels({ [BOB]: 50, [CAROL]: 0 });
    await redacts(CAROL, await receive(await says(CAROL)));
    for (const isFirst of [true, false]) {
      const outlier = await says(ALICE);
      if (isFirst) await room.receiveOutlier(outlier.text);
      await redacts(BOB, outlier);
      if (!isFirst) await room.receiveOutlier(outlier.text);
      await receive(outlier);
    }
    const hidden = [await says(CAROL), await says(CAROL)] as const;
    await setMember(ALICE, CAROL, 'ban');
    await redacts(BOB, hidden[0]);
    for (const one of hidden) expect((await room.receive(one.text)).kind).toBe('soft-failed');
    await redacts(BOB, hidden[1]);
    expect(room.facts.filter(({ type }) => type === 'pdu-redacted')).toHaveLength(9);
  });

  test('hold as the server does them', () => {
    expect(check(recordedFactsOf(room))).toEqual([]);
  });

  test('are found where the effect of any of them is left out', () => {
    const facts = recordedFactsOf(room);
    for (const [at, { type, data }] of facts.entries()) {
      if (type !== 'pdu-redacted') continue;
      const { event_id: eventId, redacted_by: redactedBy } = JSON.parse(data) as PduRedacted;
      expect(check(facts.toSpliced(at, 1))).toEqual([
        { revision: at - 1, problem: `${eventId}: is redacted by ${redactedBy}, and that is left out` },
      ]);
    }
  });

  test('are found where the effect of any of them is told twice', () => {
    const facts = recordedFactsOf(room);
    for (const [at, fact] of facts.entries()) {
      if (fact.type !== 'pdu-redacted') continue;
      const again = { ...fact, revision: at + 0.5 };
      expect(check(facts.toSpliced(at + 1, 0, again))).toEqual([
        { revision: again.revision, problem: expect.stringContaining('does not do so here') },
      ]);
    }
  });

  test('are found where any of them says otherwise whether it takes effect at once', () => {
    const facts = recordedFactsOf(room);
    for (const { revision, takes_effect: told, pdu: _, ...header } of acceptedRedactions(facts)) {
      const text = JSON.stringify((JSON.parse(facts[revision]!.data) as PduAccepted).pdu);
      const data = factWithPdu(told === true ? header : { ...header, takes_effect: true }, text);
      expect(check(facts.with(revision, { ...facts[revision]!, data }))).toEqual([
        { revision, problem: expect.stringContaining('at once') },
      ]);
    }
  });

  test('are found where an event that comes says otherwise which of them waited for it', () => {
    const facts = recordedFactsOf(room);
    const told = facts.flatMap(({ type, data }, at) => {
      const { redacted_by: by, pdu, ...header } = JSON.parse(data) as PduAccepted;
      return type !== 'pdu-accepted' ? [] : [{ at, by, header, text: canonicalJson(pdu, { lenient: true }) }];
    });
    expect(told.filter(({ by }) => by !== undefined)).toHaveLength(3);
    const { event } = refused[0]!;
    for (const { at, by, header, text } of told) {
      const data = factWithPdu(by === undefined ? { ...header, redacted_by: event.eventId } : header, text);
      expect(check(facts.with(at, { ...facts[at]!, data }))).toEqual([
        { revision: at, problem: expect.stringContaining('as it comes') },
      ]);
    }
  });

  test('are found where one took effect that nobody had the level for, at once or when its event came', () => {
    const facts = recordedFactsOf(room);
    const isAbout = (eventId: EventId) => (fact: RecordedFact) =>
      fact.type !== 'pdu-redacted' && fact.data.includes(`{"event_id":"${eventId}"`);
    for (const [target, by] of [
      [hello, refused[0]!],
      [late, refused[1]!],
    ] as const) {
      const { eventId } = by.event;
      const behind = Math.max(...[eventId, target.event.eventId].map((one) => facts.findIndex(isAbout(one))));
      // By the rules of the first versions it never came to be part of the room.
      const why = version.redactionAuthRule ? '' : ': You need the redact power level to redact events of others';
      expect(facts[facts.findIndex(isAbout(eventId))]!.type).toBe(
        version.redactionAuthRule ? 'pdu-rejected' : 'pdu-accepted',
      );
      expect(check(withEffect(behind, target, eventId))).toContainEqual({
        revision: behind + 0.5,
        problem: `${target.event.eventId}: ${eventId}, which is to have redacted it, does not do so here${why}`,
      });
    }
  });

  test('are found where one took effect before its event came', () => {
    const facts = recordedFactsOf(room);
    const { revision, event_id: eventId } = acceptedRedactions(facts).find(
      ({ pdu }) => pdu['sender'] === BOB && canonicalJson(pdu, { lenient: true }).includes(late.event.eventId),
    )!;
    expect(check(withEffect(revision, late, eventId))).toEqual([
      { revision: revision + 0.5, problem: expect.stringContaining('does not do so here') },
    ]);
  });
});

describe('what was said before anybody else was in the room', () => {
  const [DAVE, ERIN] = [OTHER_SERVER.user('dave'), OTHER_SERVER.user('erin')];

  test('is known to be here, and whose it is, though it is not held', async () => {
    const store = new MemoryEventStore();
    const local = await LocalRoom.begin(store, '11');
    const others = new ForkedRoom(store, local);
    const levels = { users: { '@alice:a.example': 100, [DAVE]: 50 } };
    await local.setState('m.room.join_rules', { join_rule: 'public' });
    await local.setState('m.room.power_levels', levels);
    const first = await local.say('first');
    for (const user of [DAVE, ERIN]) await others.join(user);
    const redactBy = async (sender: UserId, more?: object): Promise<EventId> => {
      const draft = { sender, type: 'm.room.redaction', content: { redacts: first.eventId } };
      return (await others.receive({ ...draft, prevEvents: await others.extremities() }, undefined, more)).eventId;
    };
    await redactBy(ERIN);
    expect(check(await others.facts(), local.roomId)).toEqual([]);
    const redactedBy = await redactBy(DAVE, { takes_effect: true });
    expect(check(await others.facts(), local.roomId)).toEqual([
      { revision: 8, problem: `${first.eventId}: is redacted by ${redactedBy}, and that is left out` },
    ]);
    await others.redact(first, redactedBy);
    expect(check(await others.facts(), local.roomId)).toEqual([]);
  });
});

describe('redactions that wait for an event', () => {
  const of = findRoomVersion('11')!;
  const event = (eventId: string, more: Partial<RoomEvent> = {}): RoomEvent => ({
    eventId: eventId as EventId,
    roomId: '!r:a.example' as RoomId,
    type: 'm.room.message',
    sender: BOB,
    stateKey: undefined,
    content: {},
    originServerTs: 0,
    depth: 1,
    prevEvents: [],
    authEvents: [],
    redacts: undefined,
    pdu: {},
    ...more,
  });
  const create = event('$create', { type: 'm.room.create', stateKey: '', sender: ALICE, content: { creator: ALICE } });
  const hello = event('$hello');

  /** So many of Alice, who made the room. */
  function waiting(count: number): VerifiedRedactions {
    const events = { get: () => undefined, createEvent: create } as unknown as VerifiedEvents;
    const redactions = new VerifiedRedactions(of, events);
    for (let i = 0; i < count; i++) {
      const one = event(`$r${i}`, { type: 'm.room.redaction', sender: ALICE, redacts: hello.eventId });
      expect(redactions.accept(one, StateTrie.empty, undefined, {} as PduAccepted)).toEqual([]);
    }
    return redactions;
  }

  test('are to take effect, each of them, as it comes; and none again once it has its place', () => {
    const redactions = waiting(2);
    redactions.take(hello, false);
    expect(redactions.takeLeftOut()).toHaveLength(2);
    redactions.take(hello, true);
    expect(redactions.takeLeftOut()).toHaveLength(2);
    redactions.take(hello, true);
    expect(redactions.takeLeftOut()).toEqual([]);
  });

  test('may be left out where there are so many that a server looks at some of them alone, and not before', () => {
    for (const [count, leftOut] of [
      [999, 999],
      [1000, 0],
    ] as const) {
      const redactions = waiting(count);
      redactions.take(hello, true);
      const problems = redactions.accept(hello, StateTrie.empty, undefined, {} as PduAccepted);
      expect(problems).toHaveLength(leftOut === 0 ? 0 : 1);
      expect(redactions.takeLeftOut()).toHaveLength(leftOut);
    }
  });
});
