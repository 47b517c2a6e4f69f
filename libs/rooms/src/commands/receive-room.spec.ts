import { beforeEach, describe, expect, it } from 'vitest';
import type { Appended, ExpectedRevision, NewFact } from '#event-store/event-store';
import { AppendTooLarge } from '#event-store/event-store-errors';
import type { EventId, RoomId, UserId } from '#kernel/ids';
import { stateKeyOf } from '#protocol/state-trie/state-key-of';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { MemoryEventStore } from '#testing/memory-event-store';
import { type ForeignPdu, ForeignServer } from '#testing/receiving/foreign-server';
import { keysOf } from '#testing/receiving/memory-room';
import { makeOn } from '#testing/receiving/make-on';
import { makeRoomToTell, type RoomToTell, stateWithJoin, tellRoom } from '#testing/receiving/told-room';
import { RoomCommands } from '#testing/room-commands';
import { RoomViews } from '#testing/room-views';
import { type AuditOptions, auditRoom } from '../audit/audit-room.js';
import { getContext } from '../queries/get-context.js';
import { getEvent } from '../queries/get-event.js';
import { listMessages } from '../queries/list-messages.js';
import { listStateRows } from '../queries/state-rows.js';
import { openRoom } from '../reading/open-room.js';
import { ReceivePdus } from './receive-pdus.js';
import { ReceiveRoom, type RoomReceived } from './receive-room.js';
import { ReceiveState } from './receive-state.js';
import { SettleJoin } from './settle-join.js';
import { TakeInRoom } from '#testing/receiving/take-in-room';

const HERE = new ForeignServer('a.example', 1);
const OTHER = new ForeignServer('b.example', 2);
const ALICE = HERE.user('alice');
const BOB = HERE.user('bob');
const VERSION = findRoomVersion('11')!;
const AUTHOR = { serverName: HERE.name, signingKey: HERE.signingKey };

/** Another beginning of a room of `OTHER`, and all that rests on it. */
class Liar extends ForeignServer {
  override create(version: RoomVersion, creator: string): ForeignPdu {
    return super.create(version, creator, { made: 'up' });
  }
}
const LIAR = new Liar(OTHER.name, 2);
/** What rooms of old begin with. */
class Silent extends ForeignServer {
  override create(version: RoomVersion, creator: string): ForeignPdu {
    return super.create(version, creator, { room_version: undefined });
  }
}
const SILENT = new Silent(OTHER.name, 2);
const KEYS = keysOf(HERE, OTHER);

/** A log that takes some writes and then no more, for the process has ended. */
class EndingLog extends MemoryEventStore {
  left = Infinity;
  appends = 0;
  /** In bytes, of one write. */
  limit = Infinity;

  override async append(stream: string, expected: ExpectedRevision, facts: readonly NewFact[]): Promise<Appended> {
    if (this.left <= 0) throw new Error('the process has ended');
    const bytes = facts.reduce((sum, { data, metadata }) => sum + data.length + JSON.stringify(metadata).length, 0);
    if (bytes > this.limit) throw new AppendTooLarge('too much', this.limit);
    this.left--;
    this.appends++;
    return super.append(stream, expected, facts);
  }
}

let log: EndingLog;
let views: RoomViews;
let home: RoomCommands;

beforeEach(() => {
  log = new EndingLog();
  views = new RoomViews(log);
  home = start();
});

/** A process over the log and the views as they are. */
const start = (): RoomCommands => new RoomCommands(views, AUTHOR, KEYS);
const room = (more?: Parameters<typeof makeRoomToTell>[4], version = VERSION): Promise<RoomToTell> =>
  makeRoomToTell(version, OTHER, HERE, ALICE, more);
const take = (told: RoomToTell): Promise<RoomReceived> => home.execute(tellRoom(told, OTHER));

/** What `annals verify` says of all that is in the log of the room. */
const problemsOf = (roomId: RoomId): string[] => home.problems(roomId);

async function auditOf(roomId: RoomId): Promise<string[]> {
  const lines: string[] = [];
  for await (const { what } of auditRoom(log, roomId, { people: String, messages: false } as AuditOptions)) {
    lines.push(what);
  }
  return lines;
}

/** All rows of a collection about a room, without where and when they came. */
async function rowsOf(of: RoomViews, collection: string, prefix: readonly string[]): Promise<unknown[]> {
  const rows = await of.scan(collection, { prefix, limit: 1_000 });
  return rows.map(({ key, value }) => [key, value.startsWith('{') ? { ...JSON.parse(value), pos: '' } : value]);
}

/** Whatever tells anybody here of the room. */
async function shows(roomId: RoomId): Promise<unknown[]> {
  await views.follow();
  const users = await Promise.all([ALICE, BOB].map((user) => rowsOf(views, 'user-rooms', [user])));
  return [...users.flat(), ...(await rowsOf(views, 'rooms', [roomId]))];
}

describe('a room of other servers that is taken in', () => {
  it.each(['1', '6', '11', '12'])('has the state that was told, and the join event: version %s', async (id) => {
    const told = await room([], findRoomVersion(id)!);
    expect(await take(told)).toMatchObject({ kind: 'joined', eventId: told.join.event.eventId, leftOut: { count: 0 } });
    await views.follow();
    const rows = await listStateRows(views, told.roomId);
    const state = rows.map(({ header }) => [stateKeyOf(header.type, header.stateKey!), header.eventId] as const);
    expect(new Map(state)).toEqual(stateWithJoin(told));
    expect(problemsOf(told.roomId)).toEqual([]);
    expect(home.facts(told.roomId).at(-1)!.type).toBe('join-completed');
  });

  it('looks as if all its state had come as events', async () => {
    const told = await room();
    await take(told);
    await views.follow();
    const other = new RoomCommands(new RoomViews(new MemoryEventStore()), AUTHOR, KEYS);
    await other.execute(new TakeInRoom(OTHER.name, told.roomId, VERSION, told.create.text));
    const texts = [...told.events, told.join].map(({ text }) => text);
    await other.execute(new ReceivePdus(OTHER.name, told.roomId, texts));
    await other.views.follow();
    for (const collection of ['members', 'room-members', 'rooms', 'room-counts']) {
      const mine = await rowsOf(views, collection, [told.roomId]);
      expect([collection, mine]).toEqual([collection, await rowsOf(other.views, collection, [told.roomId])]);
      expect(mine).not.toEqual([]);
    }
    expect((await shows(told.roomId)).length).toBe(2);
  });

  it('is taken in where the log takes little at once, however large its events are', async () => {
    const sender = OTHER.user('alice');
    const large = { type: 'org.example', sender, content: { body: 'x'.repeat(50_000) } };
    const told = await room(Array.from({ length: 40 }, (_, i) => ({ ...large, stateKey: `${i}` })));
    log.limit = 1024 * 1024;
    expect(await take(told)).toMatchObject({ kind: 'joined', leftOut: { count: 0 } });
    await views.follow();
    expect(await listStateRows(views, told.roomId, 'org.example')).toHaveLength(40);
  });

  it('goes on with what people here and there say', async () => {
    const told = await room();
    await take(told);
    await home.send(ALICE, told.roomId);
    const { prev_events: parents } = home.events(told.roomId).at(-1)!;
    expect(parents).toEqual([told.join.event.eventId]);
    await told.there.receiveOutlier(told.join.text);
    home = start();
    await home.send(ALICE, told.roomId);
    expect(await home.membership(told.roomId, OTHER.user('member0'))).toBe('join');
    expect(problemsOf(told.roomId)).toEqual([]);
  });

  it('has the events of its state by their ids, and a gap before the join where pages end', async () => {
    const told = await room();
    await take(told);
    await views.follow();
    const reader = { userId: ALICE, ignored: new Set<UserId>() };
    for (const { event } of told.state) {
      const { row } = await getEvent(views, told.roomId, event.eventId, reader);
      expect(row.header.type).toBe(event.type);
    }
    await expect(getEvent(views, told.roomId, told.authChain[0]!.event.eventId, reader)).rejects.toThrow('No such');
    const open = await openRoom(views, told.roomId, reader);
    const { rows, gaps } = await listMessages(open, { direction: 'b', limit: 10 });
    expect(rows.map(({ header }) => header.eventId)).toEqual([told.join.event.eventId]);
    expect(gaps.map(({ missing }) => missing)).toEqual([told.join.event.prevEvents]);
    const { event, state } = await getContext(views, told.roomId, told.state[1]!.event.eventId, reader, 10, {});
    expect(event.header.eventId).toBe(told.state[1]!.event.eventId);
    expect(state).toHaveLength(told.state.length + 1);
  });

  it.each(['joined', 'shared'])('shows what its state was to later members where history is: %s', async (visible) => {
    const alice = OTHER.user('alice');
    const topicOf = (topic: string) => ({ type: 'm.room.topic', sender: alice, stateKey: '', content: { topic } });
    const content = { history_visibility: visible };
    const visibility = { type: 'm.room.history_visibility', sender: alice, stateKey: '', content };
    const told = await room([visibility, topicOf('of old')]);
    await take(told);
    await told.there.receive(told.join.text);
    const old = told.state.find(({ event }) => event.type === 'm.room.topic')!.event.eventId;
    const sees = async (userId: UserId): Promise<boolean> => {
      await views.follow();
      return getEvent(views, told.roomId, old, { userId, ignored: new Set() }).then(
        () => true,
        () => false,
      );
    };
    expect([await sees(ALICE), await sees(BOB)]).toEqual([true, false]);
    const { text } = await makeOn(told.there, OTHER, topicOf('of now'));
    await home.execute(new ReceivePdus(OTHER.name, told.roomId, [text]));
    await home.join(BOB, told.roomId);
    expect([await sees(ALICE), await sees(BOB)]).toEqual([true, visible === 'shared']);
  });

  it('has a gap before the join also where its parent is an event of the state', async () => {
    const told = await room();
    const parent = told.state.at(-1)!.event;
    const { authEvents: auth, depth } = told.join.event;
    const content = { membership: 'join' };
    const draft = { type: 'm.room.member', sender: ALICE, stateKey: ALICE, content, auth, depth };
    const join = HERE.make(VERSION, told.roomId, { ...draft, prev: [parent.eventId] });
    expect(await take({ ...told, join })).toMatchObject({ kind: 'joined' });
    await views.follow();
    const open = await openRoom(views, told.roomId, { userId: ALICE, ignored: new Set() });
    const { gaps } = await listMessages(open, { direction: 'b', limit: 10 });
    expect(gaps.map(({ missing }) => missing)).toEqual([[parent.eventId]]);
  });

  it.each(['1', '6', '11', '12'])(
    'is not led back to its beginning by who sends its first events again: version %s',
    async (id) => {
      const told = await room([], findRoomVersion(id));
      await take(told);
      const headOf = async () =>
        (await home.workers.run(told.roomId, { actor: 'test' }, async ({ head }) => head)).result;
      const { state, extremities } = await headOf();
      for (const { text } of told.events.slice(0, 4)) {
        const { received } = await home.execute(new ReceivePdus(OTHER.name, told.roomId, [text]));
        expect(received).toMatchObject([{ kind: 'accepted' }]);
        expect(JSON.parse(home.facts(told.roomId).at(-1)!.data)).toMatchObject({ history: true });
      }
      const after = await headOf();
      expect(after.state.rootHash).toBe(state.rootHash);
      expect(after.extremities.map(({ eventId }) => eventId)).toEqual(extremities.map(({ eventId }) => eventId));
      expect(problemsOf(told.roomId)).toEqual([]);
    },
  );

  it('takes events in any order, and those told twice once', async () => {
    const told = await room();
    const mixed = { ...told, state: [...told.state].toReversed(), authChain: [...told.authChain, ...told.state] };
    expect(await take(mixed)).toMatchObject({ kind: 'joined', leftOut: { count: 0 } });
    expect(home.facts(told.roomId, 'outlier-stored')).toHaveLength(told.state.length + told.authChain.length + 1);
    expect(problemsOf(told.roomId)).toEqual([]);
  });

  it('leaves out what does not pass the checks, and tells the keys that would help', async () => {
    const told = await room();
    const stranger = new ForeignServer('c.example', 3);
    const carol = stranger.user('carol');
    const create = told.create.event.eventId;
    const unknown = stranger.make(VERSION, told.roomId, {
      type: 'm.room.member',
      sender: carol,
      stateKey: carol,
      content: { membership: 'join' },
      prev: [create],
      auth: [create],
    });
    const forged = { ...told.state.at(-1)!, text: '{}' };
    const received = await take({ ...told, state: [...told.state, unknown, forged] });
    expect(received).toMatchObject({ kind: 'joined', leftOut: { count: 2 } });
    expect(received.leftOut.wantedKeys).toMatchObject([{ serverName: stranger.name }]);
    expect(await home.membership(told.roomId, carol)).toBeUndefined();
  });

  it('is given up where the state does not let the user in, and a later join begins anew', async () => {
    const told = await room([
      { type: 'm.room.member', sender: OTHER.user('alice'), stateKey: ALICE, content: { membership: 'ban' } },
    ]);
    expect(await take(told)).toMatchObject({ kind: 'given-up' });
    expect(await shows(told.roomId)).toEqual([]);
    await expect(home.send(ALICE, told.roomId)).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' });
    expect((await auditOf(told.roomId)).at(-1)).toContain('gave the join of the room up');
    const ban = stateKeyOf('m.room.member', ALICE);
    const without = told.state.filter(({ event }) => stateKeyOf(event.type, event.stateKey!) !== ban);
    const auth = told.join.event.authEvents.filter((id) => without.some(({ event }) => event.eventId === id));
    const { prevEvents: prev } = told.join.event;
    const draft = {
      type: 'm.room.member',
      sender: ALICE,
      stateKey: ALICE,
      content: { membership: 'join' },
      prev,
      auth,
    };
    const join = HERE.make(VERSION, told.roomId, { ...draft, depth: 50 });
    expect(await take({ ...told, state: without, join })).toMatchObject({ kind: 'joined' });
    expect(problemsOf(told.roomId)).toEqual([]);
  });

  it('is given up where its state is none', async () => {
    const told = await room();
    const twice = { ...told, state: [...told.state, ...told.authChain] };
    expect(await take(twice)).toMatchObject({ kind: 'given-up', reason: 'Two events for m.room.member' });
    const headless = { ...told, state: told.state.slice(1) };
    expect(await take(headless)).toMatchObject({ kind: 'given-up' });
    const message = { ...told, state: [...told.state, told.events.at(-1)!] };
    expect(await take(message)).toMatchObject({ kind: 'given-up' });
    expect(await shows(told.roomId)).toEqual([]);
    expect(problemsOf(told.roomId)).toEqual([]);
    expect(await take(told)).toMatchObject({ kind: 'joined' });
  });

  it('is refused where it is here', async () => {
    const told = await room();
    await take(told);
    await expect(take(told)).rejects.toMatchObject({ errcode: 'M_UNKNOWN', status: 409 });
    const another = await room();
    await expect(take({ ...another, roomId: told.roomId })).rejects.toMatchObject({ errcode: 'M_UNKNOWN' });
  });

  it('is of the first version where its create event names none, whatever version is told', async () => {
    const told = await makeRoomToTell(findRoomVersion('1')!, SILENT, HERE, ALICE);
    const { origin, roomId, told: all } = tellRoom(told, OTHER);
    const asSecond = new ReceiveRoom(origin, roomId, findRoomVersion('2')!, all);
    await expect(home.execute(asSecond)).rejects.toMatchObject({ errcode: 'M_UNKNOWN' });
    expect(await take(told)).toMatchObject({ kind: 'joined' });
  });

  it.each(['6', '11'])(
    'comes through another server after one told another beginning of it: version %s',
    async (id) => {
      const version = findRoomVersion(id)!;
      const lie = await makeRoomToTell(version, LIAR, HERE, ALICE);
      const told = await room([], version);
      expect(lie.roomId).toBe(told.roomId);
      const headless = { ...lie, state: lie.state.slice(1) };
      expect(await home.execute(tellRoom(headless, LIAR))).toMatchObject({ kind: 'given-up' });
      expect(await take(told)).toMatchObject({ kind: 'joined', leftOut: { count: 0 } });
      expect(problemsOf(told.roomId)).toEqual([]);
      await home.send(ALICE, told.roomId);
      await views.follow();
      const rows = await listStateRows(views, told.roomId);
      expect(rows).toHaveLength(stateWithJoin(told).size);
      // Nothing of the other beginning counts, in memory and after a restart.
      const lies = lie.state.map(({ event }) => event.eventId);
      const stranger = lie.state.at(-1)!;
      for (const process of [home, start()]) {
        const pdus = new ReceivePdus(LIAR.name, told.roomId, [stranger.text]);
        const { received } = await process.execute(pdus);
        expect(received).toMatchObject([{ kind: 'missing', authEvents: stranger.event.authEvents }]);
        const state = new ReceiveState(LIAR.name, told.roomId, '$unheard' as EventId, lies);
        expect(await process.execute(state)).toMatchObject({ kind: 'missing', authEvents: lies });
      }
    },
  );

  it('may be told otherwise again and again until it is here', async () => {
    const told = await room();
    const lie = await makeRoomToTell(VERSION, LIAR, HERE, ALICE);
    for (const [one, origin] of [
      [told, OTHER],
      [lie, LIAR],
      [told, OTHER],
      [lie, LIAR],
    ] as const) {
      const headless = { ...one, state: one.state.slice(1) };
      expect(await home.execute(tellRoom(headless, origin))).toMatchObject({ kind: 'given-up' });
      home = start();
    }
    expect(await take(told)).toMatchObject({ kind: 'joined', leftOut: { count: 0 } });
    await home.send(ALICE, told.roomId);
    expect(problemsOf(told.roomId)).toEqual([]);
    const rows = await shows(told.roomId);
    views = new RoomViews(log);
    expect(await shows(told.roomId)).toEqual(rows);
  });
});

describe('a process that ends while a room is taken in', () => {
  it('leaves it whole or given up, after each write, and nothing of it shows before', async () => {
    const told = await room([
      { type: 'm.room.member', sender: OTHER.user('alice'), stateKey: BOB, content: { membership: 'invite' } },
    ]);
    let ends = { completed: 0, givenUp: 0 };
    for (let writes = 1; ; writes++) {
      log = new EndingLog();
      views = new RoomViews(log);
      home = start();
      log.left = writes;
      const whole = await take(told).then(
        ({ kind }) => kind === 'joined',
        () => false,
      );
      if (whole) break;
      expect(await shows(told.roomId)).toEqual([]);
      expect((await auditOf(told.roomId)).join()).toContain('it is being joined');
      home = start();
      log.left = Infinity;
      await expect(home.send(ALICE, told.roomId)).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' });
      expect(await home.execute(new SettleJoin(told.roomId))).toBe(true);
      expect(await home.execute(new SettleJoin(told.roomId))).toBe(false);
      expect(problemsOf(told.roomId)).toEqual([]);
      const { type } = home.facts(told.roomId).at(-1)!;
      if (type === 'join-given-up') {
        ends = { ...ends, givenUp: ends.givenUp + 1 };
        expect(await shows(told.roomId)).toEqual([]);
        expect(await take(told)).toMatchObject({ kind: 'joined' });
      } else ends = { ...ends, completed: ends.completed + 1 };
      const shown = await shows(told.roomId);
      expect(shown).toHaveLength(3);
      // The views made anew are the same.
      views = new RoomViews(log);
      expect(await shows(told.roomId)).toEqual(shown);
      home = start();
      await home.send(ALICE, told.roomId);
      expect(problemsOf(told.roomId)).toEqual([]);
    }
    expect(ends.givenUp).toBeGreaterThan(1);
    expect(ends.completed).toBeGreaterThan(0);
  });
});
