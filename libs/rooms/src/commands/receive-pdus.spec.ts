import { beforeEach, describe, expect, it } from 'vitest';
import type { EventId, RoomId } from '#kernel/ids';
import { ViewsUnavailable } from '#read-models/read-model-errors';
import type { StateTrie } from '#protocol/state-trie/state-trie';
import { ALICE, TEST_AUTHOR } from '#testing/local-room';
import { type ForeignPdu, ForeignServer } from '#testing/receiving/foreign-server';
import { makeOn } from '#testing/receiving/make-on';
import { keysKnownTo } from '#testing/receiving/memory-room';
import type { RoomElsewhere } from '#testing/receiving/room-elsewhere';
import { openSharedRoom } from '#testing/receiving/shared-room';
import { RoomCommands } from '#testing/room-commands';
import { RoomViews } from '#testing/room-views';
import { turnsOf } from '#testing/turns-of';
import { UncertainEventStore } from '#testing/uncertain-event-store';
import type { PduAccepted } from '../facts/room-facts.js';
import { type Policy, policyEventIdOf } from '../room-policy.js';
import type { ServerKeys } from '../server-keys.js';
import { ReceiveOutliers } from './receive-outliers.js';
import { ReceivePdus } from './receive-pdus.js';
import { ReceiveState } from './receive-state.js';
import type { Receipt } from './receiving.js';

const OTHER = new ForeignServer('b.example', 2);
const BOB = OTHER.user('bob');
const KEYS: ServerKeys = keysKnownTo(TEST_AUTHOR, OTHER);

let log: UncertainEventStore;
let home: RoomCommands;
let roomId: RoomId;
/** The room as the other server has it. */
let there: RoomElsewhere;

beforeEach(async () => {
  log = new UncertainEventStore();
  ({ home, roomId, there } = await openSharedRoom(OTHER, KEYS, { log }));
});

const receive = (...pdus: readonly ForeignPdu[]): Promise<Receipt> => there.sends(home, ...pdus);

async function extremitiesOf({ workers }: RoomCommands): Promise<EventId[]> {
  const { result } = await workers.run(roomId, { actor: ALICE }, async ({ head }) => head.extremities);
  return result.map(({ eventId }) => eventId);
}

const kindsOf = ({ received }: Receipt): string[] => received.map(({ kind }) => kind);
const lastOf = (type: string): PduAccepted => JSON.parse(home.facts(roomId, type).at(-1)!.data) as PduAccepted;

describe('events of another server', () => {
  it('let everything else have its turn before it is known what they are, for each may hold thousands of values', async () => {
    const none = Array.from({ length: 64 }, () => '{}');
    let receipt: Receipt | undefined;
    const turns = await turnsOf(async () => {
      receipt = await home.execute(new ReceivePdus(OTHER.name, roomId, none));
    });
    expect(kindsOf(receipt!)).toEqual(none.map(() => 'dropped'));
    expect(turns).toBeGreaterThan(32);
  });

  it('are in the room once they are received, and users here stand on them', async () => {
    const [join, hello] = [await there.joins(), await there.says('hello')];
    expect(await receive(join, hello)).toMatchObject({
      received: [{ kind: 'accepted', eventId: join.event.eventId }, { kind: 'accepted' }],
      released: [],
    });
    expect(await home.membership(roomId, BOB)).toBe('join');
    await home.send(ALICE, roomId);
    expect(lastOf('pdu-accepted').pdu['prev_events']).toEqual([hello.event.eventId]);
    expect(kindsOf(await receive(join))).toEqual(['known']);
  });

  it('wait for what they miss, which whoever received them is told, and are judged when that comes', async () => {
    const [join, first, second] = [await there.joins(), await there.says('first'), await there.says('second')];
    const { received } = await receive(second);
    expect(received).toMatchObject([{ kind: 'missing', parents: [first.event.eventId] }]);
    expect(kindsOf(await receive(first))).toEqual(['missing']);
    expect(home.facts(roomId, 'pdu-accepted').at(-1)!.data).not.toContain(BOB);
    const { released, ...rest } = await receive(join);
    expect(kindsOf({ released, ...rest })).toEqual(['accepted']);
    expect(released).toMatchObject([
      { kind: 'accepted', eventId: first.event.eventId },
      { eventId: second.event.eventId },
    ]);
  });

  it('may come children first: what is told of each is what became of it in the end', async () => {
    const [join, first, second] = [await there.joins(), await there.says('first'), await there.says('second')];
    const receipt = await receive(second, first, join);
    expect(kindsOf(receipt)).toEqual(['accepted', 'accepted', 'accepted']);
    expect(receipt.released).toEqual([]);
  });

  it('are dropped where their signature does not hold, with the keys that would help, and harm no others', async () => {
    const stranger = new ForeignServer('c.example', 3);
    const join = await there.joins();
    const bad = { ...join, text: join.text.replace(/"signatures":.*?}}/, '"signatures":{}') };
    const carol = stranger.user('carol');
    const unknown = await makeOn(there, stranger, {
      type: 'm.room.member',
      sender: carol,
      stateKey: carol,
      content: { membership: 'join' },
    });
    const { received } = await receive(bad, unknown, { ...join, text: '{' }, join);
    expect(received.map(({ kind }) => kind)).toEqual(['dropped', 'dropped', 'dropped', 'accepted']);
    expect(received[1]).toMatchObject({ wantedKeys: [{ serverName: stranger.name }] });
  });

  it('are refused for a room that is not here', async () => {
    const elsewhere = '!elsewhere:b.example' as RoomId;
    const command = new ReceivePdus(OTHER.name, elsewhere, [(await there.joins()).text]);
    await expect(home.execute(command)).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' });
  });

  it('are received again where nobody was told what the log made of them', async () => {
    const join = await there.joins();
    log.breakNext('done');
    await expect(receive(join)).rejects.toThrow('the connection');
    expect(kindsOf(await receive(join))).toEqual(['known']);
    const hello = await there.says('hello');
    log.breakNext('never done');
    await expect(receive(hello)).rejects.toThrow('the connection');
    expect(kindsOf(await receive(hello))).toEqual(['accepted']);
  });

  it('are to be received again where the views could not be asked, and keep nobody here from sending', async () => {
    const join = await there.joins();
    const get = home.views.get.bind(home.views);
    home.views.get = () => Promise.reject(new ViewsUnavailable('gone'));
    await expect(receive(join)).rejects.toBeInstanceOf(ViewsUnavailable);
    const draft = { type: 'm.room.message', sender: ALICE, content: { body: 'is anybody there?' } };
    await home.workers.run(roomId, { actor: ALICE }, (turn) => turn.send(draft));
    home.views.get = get;
    expect(kindsOf(await receive(join))).toEqual(['accepted']);
    expect(lastOf('pdu-accepted').extremities).toHaveLength(2);
  });

  it('are neither judged nor written by what is left of views that somebody throws away', async () => {
    const [join, hello] = [await there.joins(), await there.says('hello')];
    await receive(join, hello);
    await home.views.follow();
    // Nothing of the room is in memory any more.
    home = new RoomCommands(home.views, TEST_AUTHOR, KEYS);
    const { views } = home;
    const kept = { get: views.get.bind(views), scan: views.scan.bind(views), confirm: views.confirm.bind(views) };
    const gone = { get: async () => undefined, scan: async () => [] };
    Object.assign(views, gone, { confirm: () => Promise.reject(new ViewsUnavailable('thrown away')) });
    const facts = home.facts(roomId).length;
    for (const pdu of [hello, await there.says('on it')])
      await expect(receive(pdu)).rejects.toBeInstanceOf(ViewsUnavailable);
    expect(home.facts(roomId)).toHaveLength(facts);
    Object.assign(views, kept);
    expect(kindsOf(await receive(hello))).toEqual(['known']);
  });

  it('take effect as redactions whichever came first, and what was redacted is erasable', async () => {
    const [join, hello] = [await there.joins(), await there.says('hello')];
    const redaction = await there.makes({
      type: 'm.room.redaction',
      redacts: hello.event.eventId,
      prev: [join.event.eventId],
    });
    await receive(join, redaction);
    expect(home.redacted(roomId)).toEqual([]);
    await home.views.follow();
    await receive(hello);
    expect(home.redacted(roomId)).toMatchObject([
      { event_id: hello.event.eventId, redacted_by: redaction.event.eventId },
    ]);
    expect(home.facts(roomId, 'pdu-accepted').at(-1)!.metadata.erasable).toBeGreaterThan(0);
  });
});

describe('two processes that receive events of one room', () => {
  it('take each once, and come to the same room', async () => {
    const others = new RoomCommands(new RoomViews(log), TEST_AUTHOR, KEYS);
    const list = [await there.joins()];
    for (let i = 0; i < 30; i++) {
      const extremities = there.extremities.map(({ eventId }) => eventId);
      list.push(
        await there.says(`${i}`, i % 3 === 0 ? { prev: [list[0]!.event.eventId] } : { prev: extremities.slice(-2) }),
      );
    }
    const texts = list.map(({ text }) => text);
    const command = (from: number) =>
      new ReceivePdus(OTHER.name, roomId, [...texts.slice(from), ...texts.slice(0, from)]);
    await Promise.all([
      ...[0, 7, 20].map((from) => home.execute(command(from))),
      ...[3, 11, 25].map((from) => others.execute(command(from))),
      others.setState(ALICE, roomId, 'm.room.topic', { topic: 'meanwhile' }),
      home.send(ALICE, roomId),
    ]);
    const accepted = home.facts(roomId, 'pdu-accepted').map(({ data }) => (JSON.parse(data) as PduAccepted).event_id);
    expect(new Set(accepted).size).toBe(accepted.length);
    expect(list.filter(({ event }) => !accepted.includes(event.eventId))).toEqual([]);
    expect(home.problems(roomId)).toEqual([]);
    await home.send(ALICE, roomId);
    await others.send(ALICE, roomId);
    expect(lastOf('pdu-accepted').extremities).toHaveLength(1);
  });
});

describe('a room with several extremities', () => {
  /** Makes events that all stand on the same. */
  async function fork(count: number): Promise<ForeignPdu[]> {
    const prev = there.extremities.map(({ eventId }) => eventId);
    const forks: ForeignPdu[] = [];
    for (let i = 0; i < count; i++) forks.push(await there.says(`fork ${i}`, { prev }));
    return forks;
  }

  it('is merged by what users here send, also when nothing of it is in memory', async () => {
    await home.setState(ALICE, roomId, 'm.room.power_levels', { users: { [ALICE]: 100, [BOB]: 50 } });
    await there.hear(home);
    await receive(await there.joins());
    const prev = there.extremities.map(({ eventId }) => eventId);
    const set = (type: string) => makeOn(there, OTHER, { type, sender: BOB, stateKey: '', content: {}, prev });
    const forks = [await set('m.room.topic'), await set('m.room.name'), await set('m.room.avatar')];
    expect(kindsOf(await receive(...forks))).toEqual(['accepted', 'accepted', 'accepted']);
    // What stands on two of them leaves no extremity whose state the facts tell by themselves.
    const [topic, name, avatar] = forks.map(({ event }) => event.eventId);
    for (const { text } of forks) await there.receive(text);
    const said = await there.says('on two', { prev: [name!, topic!] });
    expect(kindsOf(await receive(said))).toEqual(['accepted']);
    const cold = new RoomCommands(home.views, TEST_AUTHOR, KEYS);
    await cold.send(ALICE, roomId);
    const last = lastOf('pdu-accepted');
    expect(last.pdu['prev_events']).toEqual([said.event.eventId, avatar]);
    expect(last.extremities).toEqual([last.event_id]);
    // Told from the extremity that is nearest.
    expect(last.state).toMatchObject([{ event_id: avatar }]);
  });

  it('has them brought together by an event of a user here as soon as too many are open', async () => {
    await receive(await there.joins());
    await receive(...(await fork(10)));
    expect(lastOf('pdu-accepted').extremities).toHaveLength(10);
    await receive(...(await fork(15)));
    const last = lastOf('pdu-accepted');
    expect(last.pdu).toMatchObject({ type: 'org.matrix.dummy_event', sender: ALICE });
    expect(last.extremities?.length).toBeLessThanOrEqual(10);
  });

  it('keeps them open where the policy is against what would bring them together, and takes what comes', async () => {
    const policy: Policy = async ({ type }) =>
      type === 'org.matrix.dummy_event' ? { isAllowed: false, reason: 'no' } : { isAllowed: true };
    const asking = new RoomCommands(home.views, TEST_AUTHOR, KEYS, policy);
    await receive(await there.joins());
    const texts = (await fork(12)).map(({ text }) => text);
    expect(kindsOf(await asking.execute(new ReceivePdus(OTHER.name, roomId, texts)))).toEqual(
      texts.map(() => 'accepted'),
    );
    expect(await extremitiesOf(asking)).toHaveLength(12);
  });

  it('asks the policy of the room for what was missed and what is of the past, as it was then, and for nothing from before it', async () => {
    const asked: string[] = [];
    const wants: Policy = async ({ content }, { policyEvent, isThere }) => {
      asked.push(`${String(content['body'])} ${String(policyEvent?.content['via'])} ${String(isThere)}`);
      return content['body'] === 'spam' ? { isAllowed: false, reason: 'spam' } : { isAllowed: true };
    };
    const policy = Object.assign(wants, { concerns: (state: StateTrie) => policyEventIdOf(state) !== undefined });
    const asking = new RoomCommands(home.views, TEST_AUTHOR, KEYS, policy);
    await receive(await there.joins());
    const early = await there.says('early');
    await home.setState(ALICE, roomId, 'm.room.policy', { via: OTHER.name });
    await there.hear(home);
    const [spam, ham] = [await there.says('spam'), await there.says('ham')];
    const texts = [early, spam, ham].map(({ text }) => text);
    const receipt = await asking.execute(new ReceivePdus(OTHER.name, roomId, texts, { isHistory: true }));
    expect(kindsOf(receipt)).toEqual(['accepted', 'soft-failed', 'accepted']);
    expect(asked).toEqual([`spam ${OTHER.name} true`, `ham ${OTHER.name} true`]);
  });

  it('takes what is late, and not what is new, where nobody says whether the policy wants it', async () => {
    const away: Policy = async ({ content }) =>
      content['body'] === 'wanted' ? { isAllowed: true } : { isAllowed: false, isUnanswered: true, reason: 'away' };
    const policy = Object.assign(away, { concerns: (state: StateTrie) => policyEventIdOf(state) !== undefined });
    const asking = new RoomCommands(home.views, TEST_AUTHOR, KEYS, policy);
    await receive(await there.joins());
    await home.setState(ALICE, roomId, 'm.room.policy', { via: OTHER.name });
    await there.hear(home);
    const [late, missed] = [await there.says('late'), await there.says('missed')];
    const state = [...there.state.entries()].map(({ eventId }) => eventId);
    const wanted = await there.says('wanted');
    const take = async ({ text }: ForeignPdu, arrival = {}): Promise<string | undefined> =>
      kindsOf(await asking.execute(new ReceivePdus(OTHER.name, roomId, [text], arrival)))[0];
    expect(await take(late, { isHistory: true })).toBe('accepted');
    expect(await take(wanted)).toBe('missing');
    const told = new ReceiveState(OTHER.name, roomId, wanted.event.eventId, state);
    expect(kindsOf(await asking.execute(told))).toEqual(['accepted']);
    expect(await take(missed)).toBe('accepted');
    expect(await take(await there.says('new'))).toBe('soft-failed');
  });

  it('keeps them open where no user here may say anything, and goes on', async () => {
    await receive(await there.joins());
    await home.leave(ALICE, roomId);
    await there.hear(home);
    await receive(...(await fork(12)));
    expect(lastOf('pdu-accepted').extremities).toHaveLength(12);
    expect(kindsOf(await receive(await there.says('all of it')))).toEqual(['accepted']);
    expect(lastOf('pdu-accepted').extremities).toHaveLength(1);
  });

  it('has them brought together by a member event of a user here who may say nothing, unchanged, where they are many', async () => {
    const before = await home.state(roomId, 'm.room.member', ALICE);
    const levels = { users: { [BOB]: 100 }, events_default: 50 };
    await home.setState(ALICE, roomId, 'm.room.power_levels', levels);
    await there.hear(home);
    await receive(await there.joins());
    await home.views.follow();
    const forks = await fork(120);
    await receive(...forks.slice(0, 90));
    expect(await extremitiesOf(home)).toHaveLength(90);
    // However short ago nobody might: whoever may open many soon would let what others say be soft-failed meanwhile.
    await receive(...forks.slice(90));
    expect((await extremitiesOf(home)).length).toBeLessThanOrEqual(100);
    expect(lastOf('pdu-accepted').pdu).toMatchObject({ type: 'm.room.member', sender: ALICE, content: before });
  });

  it('tells how they change where they are too many to list, and how many there are then makes no fact larger', async () => {
    await receive(await there.joins());
    await home.leave(ALICE, roomId);
    await there.hear(home);
    const many = await fork(200);
    await receive(...many);
    const facts = home.facts(roomId, 'pdu-accepted');
    for (const { data } of facts) expect(data.length).toBeLessThan(4_000);
    const ids = many.map(({ event }) => event.eventId);
    const cold = () => new RoomCommands(home.views, TEST_AUTHOR, KEYS);
    for (const server of [home, cold()]) expect(await extremitiesOf(server)).toEqual(ids);
    const last = await there.says('some of it', { prev: ids.slice(0, 20) });
    expect(kindsOf(await receive(last))).toEqual(['accepted']);
    expect(lastOf('pdu-accepted').ended).toEqual(ids.slice(0, 20));
    const left = [...ids.slice(20), last.event.eventId];
    for (const server of [home, cold()]) expect(await extremitiesOf(server)).toEqual(left);
    expect(home.problems(roomId)).toEqual([]);
  });

  it('has them brought together though nobody might before, also where the clock was set back meanwhile', async () => {
    await receive(await there.joins());
    await home.leave(ALICE, roomId);
    await there.hear(home);
    await receive(...(await fork(12)));
    await home.join(ALICE, roomId);
    await there.hear(home);
    home.now -= 86_400_000;
    await receive(...(await fork(12)));
    expect(lastOf('pdu-accepted').extremities?.length).toBeLessThanOrEqual(10);
  });
});

describe('a gap in the history of a room', () => {
  it('is bridged by the state that another server tells, and what is missing is of the past when it comes', async () => {
    const join = await there.joins();
    await receive(join);
    const topic = await there.makes({ type: 'm.room.topic', stateKey: '', content: { topic: 'not for Bob to say' } });
    const name = await there.makes({
      type: 'm.room.member',
      stateKey: BOB,
      content: { membership: 'join', displayname: 'Bob' },
      ts: 2_000,
    });
    const state = [...there.state.entries()].map(({ eventId }) => eventId);
    const hello = await there.says('after the gap');
    expect(await receive(hello)).toMatchObject({ received: [{ kind: 'missing', parents: [name.event.eventId] }] });
    const told = new ReceiveState(OTHER.name, roomId, hello.event.eventId, state);
    expect(await home.execute(told)).toMatchObject({ kind: 'missing', authEvents: [name.event.eventId] });
    const outliers: Receipt = await home.execute(new ReceiveOutliers(OTHER.name, roomId, [name.text]));
    expect(kindsOf(outliers)).toEqual(['outlier']);
    expect(await home.execute(told)).toMatchObject({ received: [{ kind: 'accepted', eventId: hello.event.eventId }] });

    await home.views.follow();
    expect(kindsOf(await receive(topic))).toEqual(['rejected']);
    expect(kindsOf(await receive(name))).toEqual(['accepted']);
    const { history, extremities } = lastOf('pdu-accepted');
    expect({ history, extremities }).toEqual({ history: true, extremities: [hello.event.eventId] });
  });

  it.each(['the event after it', 'what is of the past', 'either, after a restart'])(
    'has no extremity before it once it is filled and an event stands on %s',
    async (parent) => {
      const join = await there.joins();
      await receive(join);
      const [missed, more] = [await there.says('missed'), await there.says('missed too')];
      const state = [...there.state.entries()].map(({ eventId }) => eventId);
      const hello = await there.says('after the gap');
      await receive(hello);
      await home.execute(new ReceiveState(OTHER.name, roomId, hello.event.eventId, state));
      expect(lastOf('pdu-accepted').extremities).toEqual([join.event.eventId, hello.event.eventId]);
      const history = new ReceivePdus(OTHER.name, roomId, [missed.text, more.text], { isHistory: true });
      expect(kindsOf(await home.execute(history))).toEqual(['accepted', 'accepted']);
      if (parent.startsWith('either')) {
        await home.views.follow();
        home = new RoomCommands(home.views, TEST_AUTHOR, KEYS);
      }
      const next = await there.says('next', parent === 'what is of the past' ? { prev: [more.event.eventId] } : {});
      expect(kindsOf(await receive(next))).toEqual(['accepted']);
      const left = parent === 'what is of the past' ? [hello, next] : [next];
      expect(lastOf('pdu-accepted').extremities).toEqual(left.map(({ event }) => event.eventId));
      expect(home.problems(roomId)).toEqual([]);
    },
  );

  it.each(['one', 'several'])(
    'has no extremity before it once it is filled, though %s came after it meanwhile',
    async (count) => {
      const join = await there.joins();
      await receive(join);
      const missed = await there.says('missed');
      const state = [...there.state.entries()].map(({ eventId }) => eventId);
      const hello = await there.says('after the gap');
      await receive(hello);
      await home.execute(new ReceiveState(OTHER.name, roomId, hello.event.eventId, state));
      const later = count === 'one' ? [hello] : [hello, await there.says('later'), await there.says('later still')];
      await receive(...later);
      const newest = later.at(-1)!.event.eventId;
      expect(await extremitiesOf(home)).toEqual([join.event.eventId, newest]);
      expect(kindsOf(await receive(missed))).toEqual(['accepted']);
      const cold = new RoomCommands(home.views, TEST_AUTHOR, KEYS);
      for (const server of [home, cold]) expect(await extremitiesOf(server)).toEqual([newest]);
      await home.send(ALICE, roomId);
      expect(lastOf('pdu-accepted').pdu['prev_events']).toEqual([newest]);
      expect(home.problems(roomId)).toEqual([]);
    },
  );

  it('keeps the extremity before it, once it is filled, where some of the current state rests on that alone', async () => {
    await receive(await there.joins());
    await home.setState(ALICE, roomId, 'm.room.topic', { topic: 'here' });
    const topic = lastOf('pdu-accepted').event_id;
    await there.hear(home);
    const missed = await there.says('missed');
    // It is told without the topic.
    const state = [...there.state.entries()].flatMap(({ eventId }) => (eventId === topic ? [] : [eventId]));
    const hello = await there.says('after the gap');
    await receive(hello);
    await home.execute(new ReceiveState(OTHER.name, roomId, hello.event.eventId, state));
    expect(kindsOf(await receive(missed))).toEqual(['accepted']);
    expect(await extremitiesOf(home)).toEqual([topic, hello.event.eventId]);
    expect(await home.state(roomId, 'm.room.topic')).toEqual({ topic: 'here' });
    expect(home.problems(roomId)).toEqual([]);
  });

  it('is bridged once: a state that is told again, or otherwise, of an event that was judged is not written down', async () => {
    const join = await there.joins();
    await receive(join);
    await there.says('missed');
    const state = [...there.state.entries()].map(({ eventId }) => eventId);
    const hello = await there.says('after the gap');
    await receive(hello);
    const tell = (told: readonly EventId[]) => new ReceiveState(OTHER.name, roomId, hello.event.eventId, told);
    await home.execute(tell(state));
    const otherwise = state.filter((eventId) => eventId !== join.event.eventId);
    for (const told of [state, otherwise]) {
      expect(await home.execute(tell(told))).toMatchObject({ received: [{ kind: 'known', outcome: 'accepted' }] });
    }
    expect(home.facts(roomId, 'state-learnt')).toHaveLength(1);
  });
});
