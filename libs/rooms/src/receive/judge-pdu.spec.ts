import { afterEach, describe, expect, it } from 'vitest';
import type { EventId, RoomId } from '#kernel/ids';
import { ROOM_VERSIONS } from '#protocol/room-versions/room-versions';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { emptyObject } from '#testing/empty-object';
import { ForeignServer, idsOf } from '#testing/receiving/foreign-server';
import { type DraftOn, firstEvents, makeOn, openRoom, roomOf } from '#testing/receiving/make-on';
import { keysOf, MemoryRoom } from '#testing/receiving/memory-room';
import { problemsOf } from '#testing/receiving/verify-facts';
import { parentsOfNext } from '../decide/room-head.js';
import { factWithPdu, isToSend, pduTextOf } from '../facts/fact-text.js';
import type { Accepted, Outcome } from './outcome.js';

const A = new ForeignServer('a.example', 1);
const B = new ForeignServer('b.example', 2);
const ALICE = A.user('alice');
const BOB = B.user('bob');

const version = (id: string) => ROOM_VERSIONS.find((one) => one.id === id) as RoomVersion;

/** What a test has received, all of which is verified behind it. */
const seen: MemoryRoom[] = [];
afterEach(() => {
  for (const room of seen.splice(0)) expect(problemsOf(room, keysOf(A, B))).toEqual([]);
});

/** A room that Alice opened, and events that arrive in it. */
class Life {
  private constructor(readonly room: MemoryRoom) {
    seen.push(room);
  }

  static async of(id: string, levels: Record<string, number> = {}): Promise<Life> {
    return new Life(await openRoom(version(id), [A, B], levels));
  }

  /** The same room on two servers. */
  static async twice(id: string): Promise<readonly [Life, Life]> {
    const first = await firstEvents(version(id), A);
    const life = async () => new Life(await roomOf(version(id), [A, B], first));
    return [await life(), await life()];
  }

  /** Makes an event on the room's extremities (or where told) and lets it arrive. */
  async send(sender: string, draft: Partial<DraftOn>): Promise<Outcome & { readonly eventId: EventId }> {
    const { event, text } = await this.make(sender, draft);
    return { ...(await this.room.receive(text)), eventId: event.eventId };
  }

  make(sender: string, draft: Partial<DraftOn>) {
    const server = sender.endsWith(B.name) ? B : A;
    return makeOn(this.room, server, { type: 'm.room.message', sender, content: { body: 'Hello' }, ...draft });
  }

  join(user: string, more: Partial<DraftOn> = {}) {
    return this.send(user, { ...memberOf(user, 'join'), ...more });
  }

  get extremities(): EventId[] {
    return this.room.extremities.map(({ eventId }) => eventId);
  }
}

function memberOf(user: string, membership: string): Partial<DraftOn> {
  return { type: 'm.room.member', stateKey: user, content: { membership } };
}

const topic = (text: string): Partial<DraftOn> => ({ type: 'm.room.topic', stateKey: '', content: { topic: text } });
const levelsOf = (users: Record<string, number>, more = {}): Partial<DraftOn> => ({
  type: 'm.room.power_levels',
  stateKey: '',
  content: { users, ...more },
});

describe.each(ROOM_VERSIONS)('an event of room version $id', ({ id }) => {
  it('is accepted on the extremity of the room, and is the only extremity then', async () => {
    const life = await Life.of(id);
    const joined = (await life.join(BOB)) as Accepted;
    expect(joined).toMatchObject({ kind: 'accepted', header: { visibility: 'shared', origin: 'other.example' } });
    expect(joined.header.base).toBeUndefined();
    expect(joined.header.current).toBeUndefined();
    expect(joined.header.state).toEqual([{ type: 'm.room.member', state_key: BOB, event_id: joined.event.eventId }]);
    expect(life.extremities).toEqual([joined.event.eventId]);
  });

  it('is for this server to send to the others where its server gave it to this one for that', async () => {
    const life = await Life.of(id);
    const { text } = await life.make(BOB, memberOf(BOB, 'join'));
    const { header, pduText } = (await life.room.receive(text, { isToHandOn: true })) as Accepted;
    expect(isToSend(factWithPdu(header, pduText))).toBe(true);
    const other = (await life.send(ALICE, {})) as Accepted;
    expect(isToSend(factWithPdu(other.header, other.pduText))).toBe(false);
    const { origin: _, ...ours } = other.header;
    expect(isToSend(factWithPdu(ours, other.pduText))).toBe(true);
  });

  it('is answered as known when it comes again, and changes nothing', async () => {
    const life = await Life.of(id);
    const { text, event } = await life.make(ALICE, {});
    await life.room.receive(text);
    const before = life.extremities;
    expect(await life.room.receive(text)).toEqual({ kind: 'known', eventId: event.eventId, outcome: 'accepted' });
    expect(life.extremities).toEqual(before);
  });

  it('waits for parents and auth events that are not here, and nothing is done', async () => {
    const [life, other] = await Life.twice(id);
    const bob = await other.make(BOB, memberOf(BOB, 'join'));
    await other.room.receive(bob.text);
    const hello = await other.make(BOB, {});
    const before = life.room.known.size;
    expect(await life.room.receive(hello.text)).toMatchObject({
      kind: 'missing',
      authEvents: [bob.event.eventId],
      parents: [bob.event.eventId],
    });
    expect(life.room.known.size).toBe(before);
    await life.room.receive(bob.text);
    expect(await life.room.receive(hello.text)).toMatchObject({ kind: 'accepted' });
  });

  it('is rejected where its own auth events do not allow it, and changes no state and no extremity', async () => {
    const life = await Life.of(id);
    const root = life.room.state.rootHash;
    const extremities = life.extremities;
    const outcome = await life.send(BOB, topic('mine'));
    expect(outcome).toMatchObject({ kind: 'rejected', header: { check: 'auth-events', state: [], root } });
    expect(life.extremities).toEqual(extremities);
    // What stands on it may pass, by the state that it did not change.
    const after = await life.send(ALICE, { prev: [outcome.eventId] });
    expect(after).toMatchObject({ kind: 'accepted' });
    expect(life.extremities).toEqual([after.eventId]);
  });

  it('is rejected where the state before it does not allow it, whatever auth events it names', async () => {
    const life = await Life.of(id);
    const join = await life.join(BOB);
    const { event: mayTalk } = await life.make(BOB, {});
    await life.send(ALICE, memberOf(BOB, 'ban'));
    const outcome = await life.send(BOB, { auth: mayTalk.authEvents });
    expect(mayTalk.authEvents).toContain(join.eventId);
    expect(outcome).toMatchObject({ kind: 'rejected', header: { check: 'state' } });
  });

  it('is rejected where one of its auth events was', async () => {
    const life = await Life.of(id);
    await life.join(BOB);
    const grab = await life.send(BOB, levelsOf({ [BOB]: 100 }));
    expect(grab.kind).toBe('rejected');
    const { event } = await life.make(BOB, {});
    const levels = life.room.state.get('m.room.power_levels', '');
    const auth = event.authEvents.map((each) => (each === levels ? grab.eventId : each));
    expect(await life.send(BOB, { auth })).toMatchObject({ kind: 'rejected', header: { check: 'auth-events' } });
  });

  it('soft-fails where only the state of now does not allow it, and ends nothing', async () => {
    const life = await Life.of(id);
    await life.join(BOB);
    const past = life.extremities;
    const ban = await life.send(ALICE, memberOf(BOB, 'ban'));
    const evasion = await life.send(BOB, { prev: past });
    expect(evasion).toMatchObject({ kind: 'soft-failed' });
    expect(life.extremities).toEqual([ban.eventId]);
    // Whoever stands on both brings the extremities together.
    const merge = await life.send(ALICE, { prev: [ban.eventId, evasion.eventId] });
    expect(merge).toMatchObject({ kind: 'accepted' });
    expect(life.extremities).toEqual([merge.eventId]);
  });

  it('beside another leaves two extremities, and tells the current state apart from its own', async () => {
    const life = await Life.of(id);
    await life.join(BOB);
    const fork = life.extremities;
    const first = await life.send(ALICE, topic('one'));
    const second = (await life.send(BOB, { prev: fork })) as Accepted;
    expect(life.extremities).toEqual([first.eventId, second.event.eventId]);
    expect(second.header).toMatchObject({ state: [], current: { state: [], root: life.room.state.rootHash } });
    expect(second.header.root).not.toBe(life.room.state.rootHash);
    const merge = (await life.send(ALICE, {})) as Accepted;
    // Told from the nearest of its parents.
    expect(merge.header.base).toBeUndefined();
    expect(merge.header.state).toEqual([]);
    expect(life.extremities).toEqual([merge.event.eventId]);
  });

  it('that makes an older event current carries its PDU', async () => {
    const life = await Life.of(id);
    const fork = life.extremities;
    const named = await life.send(ALICE, { ...topic('named'), ts: 9_000 });
    const beside = await life.send(ALICE, { ...topic('beside'), prev: fork, ts: 8_000, depth: 1 });
    expect(beside.kind).toBe('accepted');
    // From the extremity whose topic lost in the resolution: the one that won is brought to the state after it by the merge.
    const merge = (await life.send(ALICE, { prev: [beside.eventId, named.eventId] })) as Accepted;
    expect(merge.kind).toBe('accepted');
    expect(merge.header.root).toBe(life.room.state.rootHash);
    expect(merge.header.base ?? beside.eventId).toBe(life.room.state.get('m.room.topic', ''));
    expect(merge.header.state).toEqual([]);
  });

  it('stands on a soft-failed one that no extremity names: the extremities below that are none any more', async () => {
    const life = await Life.of(id);
    await life.join(BOB);
    const past = life.extremities;
    await life.send(ALICE, memberOf(BOB, 'ban'));
    const evasion = await life.send(BOB, { prev: past });
    const unban = await life.send(ALICE, memberOf(BOB, 'leave'));
    const low = await life.send(BOB, { prev: [unban.eventId] });
    expect(low.kind).toBe('rejected');
    const high = await life.send(ALICE, { prev: [low.eventId, evasion.eventId] });
    expect(high).toMatchObject({ kind: 'accepted' });
    expect(life.extremities).toEqual([high.eventId]);
  });

  it('says the history visibility in the state before it, not that of now', async () => {
    const life = await Life.of(id);
    const fork = life.extremities;
    const visible = (value: string) => ({
      type: 'm.room.history_visibility',
      stateKey: '',
      content: { history_visibility: value },
    });
    expect(await life.send(ALICE, visible('joined'))).toMatchObject({ header: { visibility: 'shared' } });
    expect(await life.send(ALICE, {})).toMatchObject({ header: { visibility: 'joined' } });
    expect(await life.send(ALICE, { prev: fork })).toMatchObject({ header: { visibility: 'shared' } });
  });

  it('of any depth leaves the room able to go on', async () => {
    const life = await Life.of(id);
    const greatest = version(id).strictCanonicalJson ? Number.MAX_SAFE_INTEGER : 2 ** 63;
    for (const depth of [greatest, 0, greatest, 1]) {
      expect(await life.send(ALICE, { ...topic(`at ${depth}`), depth })).toMatchObject({ kind: 'accepted' });
    }
    const last = life.room.state.get('m.room.topic', '') as EventId;
    expect(life.extremities).toEqual([last]);
    expect(await life.send(ALICE, { depth: 2 })).toMatchObject({ kind: 'accepted' });
  });

  it('that brings extremities together tells what held its key before it, where its base has something else', async () => {
    const life = await Life.of(id);
    const fork = life.extremities;
    await life.send(ALICE, { ...topic('one'), prev: fork, ts: 1 });
    await life.send(ALICE, { ...topic('two'), prev: fork, ts: 2 });
    const before = life.room.state.get('m.room.topic', '');
    const both = life.extremities;
    const outcomes = [await life.send(ALICE, { ...topic('all'), prev: both })];
    outcomes.push(await life.send(ALICE, { ...topic('all'), prev: both.toReversed() }));
    for (const { header } of outcomes as Accepted[]) {
      const [base] = header.state.filter(({ type }) => type === 'm.room.topic');
      expect(header.held_before ?? base?.replaces).toBe(before);
    }
    expect((outcomes as Accepted[]).filter(({ header }) => 'held_before' in header)).toHaveLength(1);
  });

  it('whose content is not what was hashed is in the room without it, where nobody has more', async () => {
    const life = await Life.of(id);
    const { event, text } = await life.make(ALICE, { content: { body: 'signed' } });
    const forged = text.replace('"signed"', '"forged"');
    expect(await life.room.receive(forged)).toMatchObject({ kind: 'dropped', wantedWhole: event.eventId });
    const outcome = await life.room.receive(forged, { takesAltered: true });
    expect(outcome).toMatchObject({ kind: 'accepted', event: { eventId: event.eventId, content: emptyObject() } });
  });

  it('that creates the room again is dropped', async () => {
    const life = await Life.of(id);
    const again = A.create(version(id), ALICE, { 'm.federate': false });
    const outcome = await life.room.receive(again.text);
    expect(outcome.kind).toBe('dropped');
    expect(life.room.createEvent?.content['m.federate']).toBeUndefined();
  });
});

describe('the extremities of a room', () => {
  it('ask for an event of ours when there are more than ten, and one names twenty at most', async () => {
    const life = await Life.of('11');
    const fork = life.extremities;
    let last: Outcome | undefined;
    for (let i = 0; i < 25; i++) {
      last = await life.send(ALICE, { prev: fork, content: { body: String(i) } });
      expect(last).toMatchObject({ kind: 'accepted', open: i + 1 });
    }
    const named = parentsOfNext(life.room);
    expect(named).toHaveLength(20);
    const merge = await life.send(ALICE, { prev: named });
    expect(merge).toMatchObject({ kind: 'accepted', open: 6 });
    expect(life.extremities).toHaveLength(6);
    await life.send(ALICE, {});
    expect(life.extremities).toHaveLength(1);
  });
});

describe('a policy', () => {
  it('that does not want an event lets it soft-fail, as the last check of all', async () => {
    const [create, ...first] = await firstEvents(version('11'), A);
    const room = new MemoryRoom(create!.event.roomId, version('11'), keysOf(A, B), ({ content }) =>
      Promise.resolve(content['body'] === 'spam' ? { isAllowed: false, reason: 'spam' } : { isAllowed: true }),
    );
    for (const { text } of [create!, ...first]) await room.receive(text);
    const spam = await makeOn(room, A, { type: 'm.room.message', sender: ALICE, content: { body: 'spam' } });
    expect(await room.receive(spam.text)).toMatchObject({ kind: 'soft-failed', header: { reason: 'spam' } });
    const strange = await makeOn(room, B, { type: 'm.room.message', sender: BOB, content: { body: 'spam' } });
    expect(await room.receive(strange.text)).toMatchObject({ kind: 'rejected' });
    const other = await makeOn(room, A, { type: 'm.room.message', sender: ALICE, content: { body: 'ham' } });
    expect(await room.receive(other.text)).toMatchObject({ kind: 'accepted' });
  });
});

describe.each(['1', '3', '11', '12'])('a redaction in room version %s', (id) => {
  const redaction = (redacts: EventId): Partial<DraftOn> => ({ type: 'm.room.redaction', redacts, content: {} });

  it('takes effect on an event of the same server', async () => {
    const life = await Life.of(id);
    await life.join(BOB);
    const said = await life.send(BOB, {});
    const outcome = (await life.send(BOB, redaction(said.eventId))) as Accepted;
    expect(outcome.kind).toBe('accepted');
    const effect = { event_id: said.eventId, redacted_by: outcome.event.eventId, room_version: id };
    expect(outcome.redactions).toMatchObject([{ effect }]);
    expect(life.room.known.get(said.eventId)?.event.content).toEqual({});
    const again = (await life.send(BOB, redaction(said.eventId))) as Accepted;
    expect(again.redactions).toMatchObject([{ effect: { redacted_by: again.event.eventId } }]);
  });

  it('takes effect on events of others only with the level', async () => {
    const life = await Life.of(id);
    await life.join(BOB);
    const said = await life.send(ALICE, {});
    const outcome = await life.send(BOB, redaction(said.eventId));
    if (version(id).redactionAuthRule) expect(outcome.kind).toBe('rejected');
    else expect(outcome).toMatchObject({ kind: 'accepted', redactions: [] });
    const other = await life.send(BOB, {});
    expect(((await life.send(ALICE, redaction(other.eventId))) as Accepted).redactions).toHaveLength(1);
  });

  it('that comes before its event takes effect when that comes', async () => {
    const life = await Life.of(id);
    const said = await life.make(ALICE, {});
    const first = (await life.send(ALICE, redaction(said.event.eventId))) as Accepted;
    expect(first).toMatchObject({ kind: 'accepted', redactions: [] });
    const outcome = (await life.room.receive(said.text)) as Accepted;
    expect(outcome.redactions).toMatchObject([{ effect: { redacted_by: first.event.eventId } }]);
  });

  it('never takes effect on the create event', async () => {
    const life = await Life.of(id);
    const create = life.room.createEvent!;
    const outcome = (await life.send(ALICE, redaction(create.eventId))) as Accepted;
    expect(outcome).toMatchObject({ kind: 'accepted', redactions: [] });
  });
});

it('is soft-failed where it would be one extremity more of 250, and brings them together all the same', async () => {
  const life = await Life.of('11');
  const [prev] = [life.extremities];
  for (let ts = 1; ts <= 250; ts++) expect(await life.send(ALICE, { prev, ts })).toMatchObject({ kind: 'accepted' });
  const many = life.extremities;
  const outcome = await life.send(ALICE, { prev });
  expect(outcome).toMatchObject({ kind: 'soft-failed', header: { reason: 'The room has too many branches' } });
  const next = await life.send(ALICE, { prev: [outcome.eventId, ...many.slice(0, 19)] });
  expect(next).toMatchObject({ kind: 'accepted' });
  expect(life.extremities).toEqual([...many.slice(19), next.eventId]);
});

describe.each(['1', '6', '11', '12'])('in room version %s what other servers tell', (id) => {
  it('of an auth chain becomes outliers, by their own auth events, and may be judged in full later', async () => {
    const all = await firstEvents(version(id), A);
    const room = new MemoryRoom(all[0]!.event.roomId, version(id), keysOf(A, B));
    seen.push(room);
    expect(await room.receiveOutlier(all[1]!.text)).toMatchObject({
      kind: 'missing',
      authEvents: idsOf(all[0]!.event),
    });
    for (const { text } of all) expect(await room.receiveOutlier(text)).toMatchObject({ kind: 'outlier' });
    expect(room.extremities).toEqual([]);
    for (const { text } of all) expect(await room.receive(text)).toMatchObject({ kind: 'accepted' });
    expect(room.extremities).toHaveLength(1);
  });

  it('that its own auth events do not allow is kept as a rejected outlier', async () => {
    const life = await Life.of(id);
    const grab = await life.make(BOB, levelsOf({ [BOB]: 100 }));
    const outcome = await life.room.receiveOutlier(grab.text);
    expect(outcome).toMatchObject({ kind: 'outlier', header: { reason: expect.any(String) as string } });
    expect(life.room.known.get(grab.event.eventId)?.rejection).toBe('auth-events');
  });

  it('of the state before an event stands in for parents that nobody has, which then belong to the past', async () => {
    const [there, here] = await Life.twice(id);
    const join = await there.make(BOB, memberOf(BOB, 'join'));
    await there.room.receive(join.text);
    const lost = await there.make(BOB, { content: { body: 'lost' } });
    await there.room.receive(lost.text);
    const late = await there.make(BOB, { content: { body: 'late' } });
    const state = [...there.room.state.entries()].map(({ eventId }) => eventId);
    expect(await here.room.learn(late.event.eventId, state)).toMatchObject({
      kind: 'missing',
      authEvents: [join.event.eventId],
    });
    await here.room.receiveOutlier(join.text);
    expect(await here.room.receive(late.text)).toMatchObject({ kind: 'missing', parents: [lost.event.eventId] });
    expect(await here.room.learn(late.event.eventId, state)).toMatchObject({ kind: 'learnt' });
    const outcome = (await here.room.receive(late.text)) as Accepted;
    expect(outcome).toMatchObject({ kind: 'accepted', header: { base: { learnt: late.event.eventId }, state: [] } });
    expect(outcome.state.rootHash).toBe(there.room.state.rootHash);
    const extremities = here.extremities;
    expect(extremities).toHaveLength(2);
    expect(await here.room.receive(join.text, { isHistory: true })).toMatchObject({ kind: 'accepted' });
    expect(here.extremities).toEqual(extremities);
    // The gap is filled.
    expect(await here.room.receive(lost.text)).toMatchObject({ kind: 'accepted', header: { history: true } });
    expect(here.extremities).toEqual([late.event.eventId]);
  });

  it('of another room authorises nothing here: what names it is refused once it can be seen', async () => {
    const life = await Life.of(id);
    await life.join(BOB);
    const { roomId, version: itsVersion } = life.room;
    const elsewhere = `!${roomId.slice(2)}x` as RoomId;
    const foreignDraft = { ...memberOf(BOB, 'join'), type: 'm.room.member', sender: BOB, prev: [], auth: [] };
    const foreign = B.make(itsVersion, elsewhere, foreignDraft).event;
    const isProven = itsVersion.eventIds !== 'opaque';
    const authEvents = (await life.make(BOB, {})).event.authEvents.filter((one) => {
      return life.room.known.get(one)?.event.type !== 'm.room.member';
    });
    const waits = { kind: 'missing', authEvents: [foreign.eventId] };
    const ofOtherRooms = [foreign.pdu];
    const outlier = await life.make(BOB, { ...topic('outlier'), auth: [...authEvents, foreign.eventId] });
    expect(await life.room.receiveOutlier(outlier.text)).toMatchObject(waits);
    expect(await life.room.receiveOutlier(outlier.text, ofOtherRooms)).toMatchObject(
      isProven ? { kind: 'outlier', header: { reason: expect.stringContaining('of another room') as string } } : waits,
    );
    const placed = await life.make(BOB, { auth: [...authEvents, foreign.eventId] });
    expect(await life.room.receive(placed.text)).toMatchObject(waits);
    expect(await life.room.receive(placed.text, { ofOtherRooms })).toMatchObject(
      isProven ? { kind: 'rejected', header: { check: 'auth-events' } } : waits,
    );
    // What is of this room and not here is not taken for one of another.
    const own = await life.make(BOB, memberOf(BOB, 'join'));
    const next = await life.make(BOB, { auth: [...authEvents, own.event.eventId] });
    const told = { ofOtherRooms: [own.event.pdu] };
    expect(await life.room.receive(next.text, told)).toMatchObject({
      kind: 'missing',
      authEvents: [own.event.eventId],
    });
  });

  it('of the states before the parents of an event, and of these, stands in for the state before the event', async () => {
    const [there, here] = await Life.twice(id);
    const idsIn = (life: Life): EventId[] => [...life.room.state.entries()].map(({ eventId }) => eventId);
    const toBoth = async (sender: string, draft: Partial<DraftOn>): Promise<EventId> => {
      const { event, text } = await there.make(sender, draft);
      for (const life of [there, here]) expect(await life.room.receive(text)).toMatchObject({ kind: 'accepted' });
      return event.eventId;
    };
    const join = await toBoth(BOB, memberOf(BOB, 'join'));
    const before = idsIn(there);
    const carol = B.user('carol');
    const lost = await there.make(carol, memberOf(carol, 'join'));
    await there.room.receive(lost.text);
    const beside = await toBoth(ALICE, { ...topic('beside'), prev: [join] });
    const late = await there.make(BOB, { content: { body: 'late' } });
    const { eventId } = late.event;
    const waits = { kind: 'missing', parents: [lost.event.eventId], beside: [beside] };
    expect(await here.room.receive(late.text)).toMatchObject(waits);
    const told = [{ parent: lost.event.eventId, stateEvents: before }];
    expect(await here.room.learn(eventId, { told, known: ['$unheard' as EventId] })).toMatchObject({ kind: 'missing' });
    await here.room.receiveOutlier(lost.text);
    expect(await here.room.learn(eventId, { told, known: [beside] })).toMatchObject({ kind: 'learnt' });
    const outcome = (await here.room.receive(late.text)) as Accepted;
    expect(outcome).toMatchObject({ kind: 'accepted', header: { base: { learnt: eventId } } });
    expect(outcome.state.rootHash).toBe(there.room.state.rootHash);
  });

  it('of a state before a parent that the rules refuse, or that is not here, is not changed by that', async () => {
    const life = await Life.of(id);
    await life.join(BOB);
    const before = [...life.room.state.entries()].map(({ eventId }) => eventId);
    const grab = await life.make(BOB, levelsOf({ [BOB]: 100 }));
    // By its own auth events it may; but in the state that is told its sender is banned.
    const named = await life.make(BOB, { ...memberOf(BOB, 'join'), content: { membership: 'join', displayname: 'B' } });
    await life.send(ALICE, memberOf(BOB, 'ban'));
    const banned = [...life.room.state.entries()].map(({ eventId }) => eventId);
    for (const { text } of [grab, named]) await life.room.receiveOutlier(text);
    const rootOf = async (parent: EventId, stateEvents: readonly EventId[], i: number): Promise<string | undefined> => {
      const learnt = await life.room.learn(`$late${i}` as EventId, { told: [{ parent, stateEvents }], known: [] });
      return learnt.kind === 'learnt' ? learnt.state.rootHash : undefined;
    };
    const states = await Promise.all([before, banned].map((ids, i) => rootOf('$unheard' as EventId, ids, i)));
    expect(await rootOf(grab.event.eventId, before, 3)).toBe(states[0]);
    expect(await rootOf(named.event.eventId, banned, 4)).toBe(states[1]);
    expect(await rootOf(named.event.eventId, before, 5)).not.toBe(states[0]);
    // Of this one the power levels are refused: what is left says nothing of who may do what.
    const levels = [...life.room.state.entries()].find(({ type }) => type === 'm.room.power_levels');
    const partly = banned.map((one) => (one === levels?.eventId ? grab.event.eventId : one));
    expect(await rootOf(named.event.eventId, partly, 6)).not.toBe(await rootOf('$unheard' as EventId, partly, 7));
  });

  it('of an auth chain is no news where it was superseded, whoever sends it again and however late it says it is', async () => {
    const [there] = await Life.twice(id);
    const users: Record<string, number> = there.room.version.privilegedCreators ? {} : { [ALICE]: 100 };
    const levels = (name: string, ts: number) => there.send(ALICE, { ...levelsOf(users, { [name]: 50 }), ts });
    const named = (text: string, ts: number) =>
      there.send(ALICE, { ...memberOf(ALICE, 'join'), content: { membership: 'join', displayname: text }, ts });
    const topicOf = (text: string, ts: number) => there.send(ALICE, { ...topic(text), ts });
    const old: { readonly eventId: EventId }[] = [];
    for (const [set, ts] of [
      [levels, 9_000],
      [named, 9_000],
      [topicOf, 1_000],
    ] as const) {
      old.push(await set('kick', ts));
      await set('ban', 2_000);
    }
    const join = await there.make(BOB, memberOf(BOB, 'join'));
    const { roomId, version: itsVersion } = there.room;
    const here = new MemoryRoom(roomId, itsVersion, keysOf(A, B));
    seen.push(here);
    for (const { data } of there.room.facts) await here.receiveOutlier(pduTextOf(data));
    const stateBefore = (eventId: EventId): EventId[] => {
      const [parent] = there.room.known.get(eventId)!.event.prevEvents;
      return [...there.room.after(parent!).entries()].map((entry) => entry.eventId);
    };
    await here.learn(
      join.event.eventId,
      [...there.room.state.entries()].map((entry) => entry.eventId),
    );
    await here.receive(join.text);
    const { extremities, state } = here;
    for (const { eventId } of old) {
      const text = pduTextOf(there.room.facts.find(({ data }) => data.includes(`"event_id":"${eventId}"`))!.data);
      await here.learn(eventId, stateBefore(eventId));
      expect(await here.receive(text)).toMatchObject({ kind: 'accepted', header: { history: true } });
    }
    expect([here.extremities, here.state.rootHash]).toEqual([extremities, state.rootHash]);
  });

  it('of the state before a join begins the room here, also where that was given up once and begun again', async () => {
    const [there] = await Life.twice(id);
    const join = await there.make(BOB, memberOf(BOB, 'join'));
    const { roomId, version: itsVersion } = there.room;
    const here = new MemoryRoom(roomId, itsVersion, keysOf(A, B));
    seen.push(here);
    const state = [...there.room.state.entries()].map(({ eventId }) => eventId);
    for (const { data } of there.room.facts) await here.receiveOutlier(pduTextOf(data));
    for (const told of [state.slice(0, 2), state])
      expect(await here.learn(join.event.eventId, told)).toMatchObject({ kind: 'learnt' });
    expect(await here.receive(join.text)).toMatchObject({
      kind: 'accepted',
      header: { extremities: [join.event.eventId] },
    });
    expect(here.state.get('m.room.member', BOB)).toBe(join.event.eventId);
    expect(here.state.get('m.room.join_rules', '')).toBeDefined();
  });

  it('as a state is learnt without what its own auth events do not allow, whatever that is', async () => {
    const life = await Life.of(id);
    const forged = await life.make(BOB, { content: { body: 'not in the room' } });
    expect(await life.room.receiveOutlier(forged.text)).toMatchObject({
      header: { reason: expect.any(String) as string },
    });
    const state = [...life.room.state.entries()].map(({ eventId }) => eventId);
    const learnt = await life.room.learn('$next:x' as EventId, [...state, forged.event.eventId]);
    expect(learnt).toMatchObject({ kind: 'learnt', state: { rootHash: life.room.state.rootHash } });
  });

  it('as a state with two events for one key, a message, or without the create event, is dropped', async () => {
    const life = await Life.of(id);
    const first = await life.send(ALICE, topic('one'));
    const second = await life.send(ALICE, topic('two'));
    const state = [...life.room.state.entries()].map(({ eventId }) => eventId);
    const next = '$next:x' as EventId;
    expect(await life.room.learn(next, [...state, first.eventId])).toMatchObject({ kind: 'dropped' });
    expect(await life.room.learn(next, [second.eventId])).toMatchObject({ kind: 'dropped' });
    const said = await life.send(ALICE, { content: { body: 'said' } });
    expect(await life.room.learn(next, [...state, said.eventId])).toMatchObject({ kind: 'dropped' });
    expect(await life.room.learn(next, state)).toMatchObject({ kind: 'learnt', parts: [{ part: 1, parts: 1 }] });
  });
});
