import { beforeEach, describe, expect, it } from 'vitest';
import type { Appended, ExpectedRevision, NewFact, RecordedFact } from '#event-store/event-store';
import type { EventId, RoomId } from '#kernel/ids';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import { MemoryEventStore } from '#testing/memory-event-store';
import { type ForeignPdu, ForeignServer } from '#testing/receiving/foreign-server';
import { keysOf } from '#testing/receiving/memory-room';
import { makeOn } from '#testing/receiving/make-on';
import { makeRoomToTell, type RoomToTell, tellPart, tellRest, tellRoom } from '#testing/receiving/told-room';
import { RoomCommands } from '#testing/room-commands';
import { RoomViews } from '#testing/room-views';
import { stateAt } from '../audit/state-at.js';
import type { PduAccepted } from '../facts/room-facts.js';
import { RoomGraph } from '../graph/room-graph.js';
import { FillRoom } from './fill-room.js';
import { ReceivePdus } from './receive-pdus.js';
import { ReceiveRoom } from './receive-room.js';
import { SettleJoin } from './settle-join.js';

const HERE = new ForeignServer('a.example', 1);
const OTHER = new ForeignServer('b.example', 2);
const ALICE = HERE.user('alice');
const BOB = HERE.user('bob');
const MEMBER = OTHER.user('member0');
const AUTHOR = { serverName: HERE.name, signingKey: HERE.signingKey };
const KEYS = keysOf(HERE, OTHER);

/** A log that takes some writes and then no more, for the process has ended. */
class EndingLog extends MemoryEventStore {
  left = Infinity;
  appends = 0;

  override async append(stream: string, expected: ExpectedRevision, facts: readonly NewFact[]): Promise<Appended> {
    if (this.left <= 0) throw new Error('the process has ended');
    this.left--;
    this.appends++;
    return super.append(stream, expected, facts);
  }
}

let log: EndingLog;
let views: RoomViews;
let home: RoomCommands;
let told: RoomToTell;

beforeEach(async () => {
  begin();
  told = await make();
});

function begin(): void {
  log = new EndingLog();
  views = new RoomViews(log);
  home = start();
}

/** `url`: where other processes write to the log too. */
const start = (url?: string): RoomCommands => new RoomCommands(views, AUTHOR, KEYS, undefined, url);
const make = (version = '11'): Promise<RoomToTell> =>
  makeRoomToTell(findRoomVersion(version)!, OTHER, HERE, ALICE, [
    { type: 'm.room.topic', sender: OTHER.user('alice'), stateKey: '', content: { topic: 'Much' } },
  ]);
const joinPart = () => home.execute(tellPart(told, OTHER));
const fill = () => home.execute(tellRest(told, OTHER));

/** `as`: each fact as the log is to have it, where that is not how it was written. */
function problemsOf(roomId: RoomId, as = (fact: RecordedFact): RecordedFact | undefined => fact): string[] {
  return home.problems(
    roomId,
    home.facts(roomId).flatMap((fact) => as(fact) ?? []),
  );
}

/** All rows of a collection about a room, without where and when they came. */
async function rowsOf(of: RoomViews, collection: string): Promise<unknown[]> {
  const rows = await of.scan(collection, { prefix: [told.roomId], limit: 1_000 });
  return rows.map(({ key, value }) => [key, value.startsWith('{') ? { ...JSON.parse(value), pos: '' } : value]);
}

/** The state after each of some events, as the graph tells it, and its root. */
async function statesOf(of: RoomViews, eventIds: readonly EventId[]): Promise<unknown[]> {
  const graph = new RoomGraph(of, told.roomId);
  const states = await Promise.all(eventIds.map((id) => graph.findStateAfter(id)));
  return Promise.all(states.map(async (state) => [await state!.findRoot(), (await state!.list()).length]));
}

/** What another server says in the room upon what is here. */
async function said(by = MEMBER): Promise<ForeignPdu> {
  await told.there.receive(told.join.text);
  return makeOn(told.there, OTHER, { type: 'm.room.message', sender: by, content: { body: 'welcome' } });
}

describe('a room of which a part was told', () => {
  it.each(['1', '6', '10', '11', '12'])(
    'is spoken in, and has all of its state once it is filled: version %s',
    async (id) => {
      told = await make(id);
      expect(await joinPart()).toMatchObject({ kind: 'joined', eventId: told.join.event.eventId });
      const first = await home.send(ALICE, told.roomId);
      expect(await home.membership(told.roomId, MEMBER)).toBeUndefined();
      expect(problemsOf(told.roomId)).toEqual([]);
      expect(await fill()).toMatchObject({ kind: 'filled', leftOut: { count: 0 } });
      const second = await home.send(ALICE, told.roomId);
      expect(await home.membership(told.roomId, MEMBER)).toBe('join');
      expect(problemsOf(told.roomId)).toEqual([]);

      const whole = new RoomCommands(new RoomViews(new MemoryEventStore()), AUTHOR, KEYS);
      await whole.execute(tellRoom(told, OTHER));
      await whole.views.follow();
      await views.follow();
      const joined = told.join.event.eventId;
      const [expected] = await statesOf(whole.views, [joined]);
      expect(await statesOf(views, [joined, first, second])).toEqual([expected, expected, expected]);
      for (const collection of ['members', 'room-members', 'rooms', 'room-counts']) {
        expect([collection, await rowsOf(views, collection)]).toEqual([
          collection,
          await rowsOf(whole.views, collection),
        ]);
      }
      const [root, size] = expected as [string, number];
      for (const eventId of [joined, first]) {
        const at = await stateAt(views.today, told.roomId, { eventId });
        expect([at.root, at.state.length]).toEqual([root, size]);
      }
    },
  );

  it('tells anew what users here set, called themselves and left before it is whole', async () => {
    await joinPart();
    await home.execute(tellRest({ ...told, state: [] }, OTHER));
    await expect(home.setState(ALICE, told.roomId, 'm.room.topic', { topic: 'No' })).rejects.toMatchObject({
      errcode: 'M_FORBIDDEN',
    });
    const left = await home.leave(ALICE, told.roomId).then(() => home.events(told.roomId).length);
    expect(left).toBe(2);
    await fill();
    expect(problemsOf(told.roomId)).toEqual([]);
    expect(await home.membership(told.roomId, ALICE)).toBe('leave');
    expect(await home.membership(told.roomId, MEMBER)).toBe('join');
  });

  it('keeps what users here set of what was not told with the join', async () => {
    const maker = OTHER.user('alice');
    const levels = { users: { [maker]: 100 }, state_default: 0 };
    told = await makeRoomToTell(findRoomVersion('11')!, OTHER, HERE, ALICE, [
      { type: 'm.room.power_levels', sender: maker, stateKey: '', content: levels },
      { type: 'm.room.topic', sender: maker, stateKey: '', content: { topic: 'Much' } },
    ]);
    const state = told.state.filter(({ event }) => event.type !== 'm.room.topic');
    await home.execute(tellPart({ ...told, state }, OTHER));
    const mine = await home.setState(ALICE, told.roomId, 'm.room.topic', { topic: 'Little' });
    const rest = tellRest({ ...told, state: [...told.state, told.join] }, OTHER);
    expect(await home.execute(rest)).toMatchObject({ kind: 'filled' });
    expect(await home.state(told.roomId, 'm.room.topic')).toEqual({ topic: 'Little' });
    await home.send(ALICE, told.roomId);
    expect(problemsOf(told.roomId)).toEqual([]);
    const at = await stateAt(views.today, told.roomId, { eventId: told.join.event.eventId });
    expect(at.state.find(({ type }) => type === 'm.room.topic')?.event_id).not.toBe(mine);
  });

  it('hides what is said from then on from whom the history visibility keeps out that was not told with the join', async () => {
    const maker = OTHER.user('alice');
    const content = { history_visibility: 'joined' };
    told = await makeRoomToTell(findRoomVersion('11')!, OTHER, HERE, ALICE, [
      { type: 'm.room.history_visibility', sender: maker, stateKey: '', content },
    ]);
    const state = told.state.filter(({ event }) => event.type !== 'm.room.history_visibility');
    await home.execute(tellPart({ ...told, state }, OTHER));
    await home.send(ALICE, told.roomId);
    expect(await fill()).toMatchObject({ kind: 'filled' });
    await home.send(ALICE, told.roomId);
    const visibilities = home
      .facts(told.roomId, 'pdu-accepted')
      .map(({ data }) => (JSON.parse(data) as PduAccepted).visibility);
    expect(visibilities).toEqual(['shared', 'shared', 'joined']);
    expect(problemsOf(told.roomId)).toEqual([]);
  });

  it('takes nothing of another server before it is whole, and all of it then', async () => {
    await joinPart();
    const { text } = await said();
    const receive = () => home.execute(new ReceivePdus(OTHER.name, told.roomId, [text]));
    await expect(receive()).rejects.toMatchObject({ errcode: 'M_UNKNOWN', status: 503 });
    await home.send(ALICE, told.roomId);
    await fill();
    expect((await receive()).received).toMatchObject([{ kind: 'accepted' }]);
    await home.send(ALICE, told.roomId);
    expect(problemsOf(told.roomId)).toEqual([]);
  });

  it('lets nobody become a member, nor be none any more, by what others do', async () => {
    await joinPart();
    const refused = { errcode: 'M_UNKNOWN', status: 503 };
    await expect(home.on(ALICE, 'invite', told.roomId, BOB)).rejects.toMatchObject(refused);
    await expect(home.on(ALICE, 'kick', told.roomId, MEMBER)).rejects.toMatchObject(refused);
    await expect(home.join(BOB, told.roomId)).rejects.toMatchObject(refused);
    await fill();
    await home.on(ALICE, 'invite', told.roomId, BOB);
    await home.join(BOB, told.roomId);
  });

  it('stays as it is where what is told then is no state, or lets the user not in; another server may tell more', async () => {
    await joinPart();
    expect(await home.execute(tellRest({ ...told, state: told.state.slice(1) }, OTHER))).toMatchObject({
      kind: 'refused',
    });
    const isJoined = home.facts(told.roomId, 'state-learnt').length;
    expect(home.facts(told.roomId, 'join-filled')).toEqual([]);
    await home.send(ALICE, told.roomId);
    expect(await fill()).toMatchObject({ kind: 'filled' });
    expect(home.facts(told.roomId, 'state-learnt').length).toBeGreaterThan(isJoined);
    expect(await fill()).toEqual({ kind: 'whole' });
    expect(problemsOf(told.roomId)).toEqual([]);
  });

  it('stays as it is where power levels are told that were not when users here spoke by what there was', async () => {
    const part = tellPart(told, OTHER);
    const isLevels = (text: string): boolean => text.includes('"m.room.power_levels"');
    const state = (part.told.state as string[]).filter((text) => !isLevels(text));
    const authChain = (part.told.state as string[]).filter(isLevels);
    await home.execute(new ReceiveRoom(part.origin, part.roomId, part.version, { ...part.told, state, authChain }));
    expect(await fill()).toMatchObject({ kind: 'refused', reason: expect.stringContaining('power levels') });
    expect(problemsOf(told.roomId)).toEqual([]);
  });

  it('is found out by who verifies the log, where what it came to is not so', async () => {
    await joinPart();
    await home.send(ALICE, told.roomId);
    await fill();
    const ofType = (type: string, change: (fact: RecordedFact) => RecordedFact | undefined): string[] =>
      problemsOf(told.roomId, (fact) => (fact.type === type ? change(fact) : fact));
    const rooted = (fact: RecordedFact) => ({ ...fact, data: fact.data.replaceAll(/"root":"[^"]{3}/g, '"root":"___') });
    expect(ofType('join-filled', rooted).join()).toContain('has the root');
    let left = 1;
    const isLast = (fact: RecordedFact): boolean => fact.data.includes('member1') && left-- > 0;
    expect(ofType('state-taken', (fact) => (isLast(fact) ? undefined : fact))).toEqual([
      'what is told of the state is not all that it lacked',
    ]);
    const whole = (fact: RecordedFact) => ({ ...fact, data: fact.data.replace(/,"partial":.*/, '}') });
    expect(ofType('join-completed', whole).join()).toContain('is told of a room that has events of its own');
  });

  it('is filled by what says in which order it will', async () => {
    await joinPart();
    const { origin, roomId, told: rest } = tellRest(told, OTHER);
    const reversed = {
      state: (rest.state as string[]).toReversed(),
      authChain: (rest.authChain as string[]).toReversed(),
    };
    expect(await home.execute(new FillRoom(origin, roomId, reversed))).toMatchObject({ kind: 'filled' });
    expect(problemsOf(told.roomId)).toEqual([]);
  });

  it('is not filled where it was told whole', async () => {
    await home.execute(tellRoom(told, OTHER));
    expect(await fill()).toEqual({ kind: 'whole' });
  });
});

describe('a process that ends', () => {
  it('anywhere in a join with a part of the state leaves nothing, or what is filled as ever', async () => {
    await joinPart();
    const { appends } = log;
    for (let left = 0; left <= appends; left++) {
      begin();
      log.left = left;
      await joinPart().catch(() => {});
      log.left = Infinity;
      home = start();
      await home.execute(new SettleJoin(told.roomId));
      if (home.facts(told.roomId, 'join-completed').length === 0) {
        expect(await joinPart()).toMatchObject({ kind: 'joined' });
      }
      await home.send(ALICE, told.roomId);
      expect(await fill()).toMatchObject({ kind: 'filled' });
      expect(await home.membership(told.roomId, MEMBER)).toBe('join');
      expect([left, problemsOf(told.roomId)]).toEqual([left, []]);
    }
  });

  it('anywhere in what fills a room leaves it partial, and it is filled by whoever goes on', async () => {
    await joinPart();
    const before = log.appends;
    await fill();
    const appends = log.appends - before;
    for (let left = 0; left < appends; left++) {
      begin();
      await joinPart();
      await home.send(ALICE, told.roomId);
      log.left = left;
      await expect(fill()).rejects.toThrow('the process has ended');
      log.left = Infinity;
      home = start();
      await home.send(ALICE, told.roomId);
      expect([left, problemsOf(told.roomId)]).toEqual([left, []]);
      expect(await fill()).toMatchObject({ kind: 'filled' });
      await home.send(ALICE, told.roomId);
      expect([left, problemsOf(told.roomId)]).toEqual([left, []]);
      expect(await home.membership(told.roomId, MEMBER)).toBe('join');
      const { text } = await said();
      const { received } = await home.execute(new ReceivePdus(OTHER.name, told.roomId, [text]));
      expect(received).toMatchObject([{ kind: 'accepted' }]);
    }
  });

  it('in the midst of it is followed by one that another server tells less', async () => {
    const less = { ...told, state: told.state.filter(({ event }) => event.stateKey !== MEMBER) };
    await joinPart();
    const before = log.appends;
    await fill();
    const appends = log.appends - before;
    for (let left = 0; left < appends; left++) {
      begin();
      await joinPart();
      log.left = left;
      await expect(fill()).rejects.toThrow('the process has ended');
      log.left = Infinity;
      home = start();
      expect(await home.execute(tellRest(less, OTHER))).toMatchObject({ kind: 'filled' });
      await home.send(ALICE, told.roomId);
      expect([left, problemsOf(told.roomId)]).toEqual([left, []]);
      await views.follow();
    }
  });

  it('is no other room for a process that reads it from the log', async () => {
    await joinPart();
    await home.send(ALICE, told.roomId);
    await fill();
    await home.send(ALICE, told.roomId);
    const head = await home.workers.look(told.roomId, async (turn) => turn.head);
    const again = await start().workers.look(told.roomId, async (turn) => turn.head);
    expect(again!.state.rootHash).toBe(head!.state.rootHash);
    expect(again!.extremities.map(({ eventId, root }) => [eventId, root])).toEqual(
      head!.extremities.map(({ eventId, root }) => [eventId, root]),
    );
    expect(again!.partial).toBeUndefined();
  });
});

describe('two processes that fill a room at once', () => {
  it('tell one state of it, and mix nothing', async () => {
    told = await makeRoomToTell(findRoomVersion('11')!, OTHER, HERE, ALICE, [], 1_100);
    await joinPart();
    const [one, others] = [start('kurrentdb://there'), start('kurrentdb://there')];
    others.now++;
    const less = { ...told, state: told.state.filter(({ event }) => event.stateKey !== MEMBER) };
    const filled = await Promise.all([one.execute(tellRest(told, OTHER)), others.execute(tellRest(less, OTHER))]);
    expect(filled.map(({ kind }) => kind).sort()).toEqual(['filled', 'whole']);
    await one.send(ALICE, told.roomId);
    await views.follow();
    expect(problemsOf(told.roomId)).toEqual([]);
  }, 60_000);
});
