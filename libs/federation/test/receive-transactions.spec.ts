import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EventStoreUnavailable, LogDamaged } from '#event-store/event-store-errors';
import type { EventId, RoomId, ServerName } from '#kernel/ids';
import type { JsonObject, JsonValue } from '#kernel/json';
import { PeerRefused } from '#kernel/peer-errors';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import { ViewsUnavailable } from '#read-models/read-model-errors';
import { sealEvent } from '#protocol/signing/seal-event';
import { ReceivePdus } from '#rooms/commands/receive-pdus';
import type { PduAccepted, PduSoftFailed } from '#rooms/facts/room-facts';
import type { ServerKeys } from '#rooms/server-keys';
import { ALICE, TEST_AUTHOR } from '#testing/local-room';
import { type ForeignPdu, ForeignServer } from '#testing/receiving/foreign-server';
import { makeOn } from '#testing/receiving/make-on';
import { keysKnownTo, keysOf } from '#testing/receiving/memory-room';
import { type ReceivingOptions, ReceivingServer } from '#testing/receiving/receiving-server';
import { RoomElsewhere } from '#testing/receiving/room-elsewhere';
import { makeRoomToTell, tellRoom } from '#testing/receiving/told-room';
import { TellingServer } from '#testing/receiving/telling-server';
import { RoomCommands } from '#testing/room-commands';
import { RoomViews } from '#testing/room-views';
import { UncertainEventStore } from '#testing/uncertain-event-store';
import type { EduHandler } from '#federation/edus/edu-handlers';
import { INBOUND_STREAM } from '#federation/facts/inbound-facts';
import { readRefused, refusalsStream } from '#federation/facts/refusal-facts';
import { originStream } from '#federation/facts/origin-facts';

const OTHER = new ForeignServer('b.example', 2);
const THIRD = new ForeignServer('c.example', 3);
const BOB = OTHER.user('bob');
const VERSION = findRoomVersion('11')!;
const KEYS = keysKnownTo(TEST_AUTHOR, OTHER);
/** What nobody without power may set. */
const NAME = { type: 'm.room.name', stateKey: '', content: { name: 'mine' } };

/** A log beyond a connection, as the server hears of it. */
class RemoteLog extends UncertainEventStore {
  override async append(
    ...write: Parameters<UncertainEventStore['append']>
  ): ReturnType<UncertainEventStore['append']> {
    try {
      return await super.append(...write);
    } catch (error) {
      if (error instanceof Error && error.message.includes('connection')) throw new EventStoreUnavailable('gone');
      throw error;
    }
  }
}

let log: UncertainEventStore;
let home: RoomCommands;
let roomId: RoomId;
let there: RoomElsewhere;
let peers: TellingServer;
let servers: ReceivingServer[];

beforeEach(async () => {
  log = new RemoteLog();
  home = new RoomCommands(new RoomViews(log), TEST_AUTHOR, KEYS);
  roomId = await home.open();
  there = new RoomElsewhere(roomId, VERSION, keysKnownTo(TEST_AUTHOR, OTHER, THIRD), OTHER);
  await there.hear(home);
  peers = new TellingServer(there);
  servers = [];
});
afterEach(() => servers.forEach((server) => server.queue.onModuleDestroy()));

async function start(options: ReceivingOptions = {}, at = home): Promise<ReceivingServer> {
  const server = await ReceivingServer.start(at, peers, options);
  servers.push(server);
  return server;
}

const textsOf = (pdus: readonly ForeignPdu[]): string[] => pdus.map(({ text }) => text);
const idOf = ({ event }: ForeignPdu): EventId => event.eventId;
const factsIn = (stream: string) => log.facts.filter((fact) => fact.stream === stream);

function acceptedIds(at = home): string[] {
  return at.facts(roomId, 'pdu-accepted').map(({ data }) => (JSON.parse(data) as PduAccepted).event_id);
}

async function untilAccepted(...pdus: readonly ForeignPdu[]): Promise<void> {
  await expect.poll(acceptedIds).toEqual(expect.arrayContaining(pdus.map(idOf)));
}

/** Waits until nothing is in the queue of the log. */
async function untilSettled(server: ReceivingServer): Promise<void> {
  await expect.poll(async () => (await server.log.load()).size).toBe(0);
}

describe('a transaction of another server', () => {
  it('is answered for each event, and harms no good one by a bad one', async () => {
    const server = await start();
    const [join, hello, last] = [await there.joins(), await there.says('hello'), await there.says('last')];
    const unsigned = await there.says('unsigned');
    const bare = unsigned.text.replace(/"signatures":\{.*?\}\}/, '"signatures":{}');
    const wrongRoom = hello.text.replace(roomId, '!elsewhere:b.example');
    const results = await server.receive(OTHER.name, '1', [
      bare,
      wrongRoom,
      ...textsOf([join, hello, last]),
      '7',
      '{}',
    ]);
    expect(results[idOf(join)]).toEqual({});
    expect(results[idOf(hello)]).toEqual({});
    expect(results[idOf(last)]).toEqual({});
    expect(results[idOf(unsigned)]?.error).toBeTruthy();
    expect(Object.values(results).filter(({ error }) => error?.includes('not in that room'))).toHaveLength(1);
    expect(acceptedIds()).toEqual(expect.arrayContaining([join, hello, last].map(idOf)));
  });

  it('is taken but for events that nest deeper than any event that is read again', async () => {
    const server = await start();
    const join = await there.joins();
    const nested = (depth: number): JsonValue => (depth === 0 ? 1 : [nested(depth - 1)]);
    const deep = await makeOn(there, OTHER, { type: 'm.x', sender: BOB, content: { deep: nested(101) } });
    const [near, last] = [await there.says('near', { content: { deep: nested(97) } }), await there.says('last')];
    const results = await server.receive(OTHER.name, '1', [join.text, deep.text, near.text, last.text]);
    expect(results[idOf(deep)]?.error).toBeTruthy();
    expect([join, near, last].map((pdu) => results[idOf(pdu)])).toEqual([{}, {}, {}]);
    const cold = new RoomCommands(new RoomViews(log), TEST_AUTHOR, KEYS);
    await cold.views.follow();
    expect(await cold.send(ALICE, roomId)).toBeTruthy();
  });

  it('leaves for the operator what was refused of it: which event of which room, and why where the room does not say it', async () => {
    const typing = { edu_type: 'm.typing', content: { room_id: roomId, user_id: BOB, typing: true } };
    const server = await start({ edus: [{ type: 'm.typing', receive: async () => {} }] });
    const [join, forbidden] = [await there.joins(), await there.makes(NAME)];
    const [banned, unsigned] = [await there.says('banned'), await there.says('unsigned')];
    const bare = unsigned.text.replace(/(?<="signatures":\{"b.example":\{"[^"]+":").{4}/, 'AAAA');
    await server.receive(OTHER.name, '1', [join.text, forbidden.text, bare]);
    await home.on(ALICE, 'ban', roomId, BOB);
    await server.receive(OTHER.name, '2', [banned.text]);
    await home.setState(ALICE, roomId, 'm.room.server_acl', { allow: ['*'], deny: ['b.example'] });
    const late = await there.says('late');
    await server.receive(OTHER.name, '3', [late.text], [typing]);
    await server.refusals.write(true);
    const told = factsIn(refusalsStream(OTHER.name)).flatMap((fact) => readRefused(fact).refusals);
    const at = expect.any(Number) as number;
    const of = (pdu: ForeignPdu, txn: string) => ({ at, room_id: roomId, event_id: idOf(pdu), txn_id: txn });
    expect(told).toEqual([
      { kind: 'rejected', ...of(forbidden, '1') },
      { kind: 'event', ...of(unsigned, '1'), reason: 'The signature of b.example does not hold' },
      { kind: 'soft-failed', ...of(banned, '2') },
      { kind: 'edu', at, room_id: roomId, txn_id: '3', reason: expect.stringMatching(/^m.typing: the access list/) },
      { kind: 'event', ...of(late, '3'), reason: expect.stringContaining('access list') },
    ]);
    const [softFailed] = home.facts(roomId, 'pdu-soft-failed');
    expect(softFailed?.metadata).toMatchObject({ actor: OTHER.name, causation: '2' });
    expect((JSON.parse(softFailed!.data) as PduSoftFailed).reason).toBeTruthy();
  });

  it('holds fifty events and a hundred EDUs at most', async () => {
    const server = await start();
    const many = Array.from({ length: 51 }, () => '{}');
    await expect(server.receive(OTHER.name, '1', many)).rejects.toMatchObject({ errcode: 'M_BAD_JSON' });
    const edus = Array.from({ length: 101 }, () => ({}));
    await expect(server.receive(OTHER.name, '1', [], edus)).rejects.toMatchObject({ errcode: 'M_BAD_JSON' });
  });

  it('is answered as before where it comes again, also after a restart', async () => {
    const join = await there.joins();
    const first = await (await start()).receive(OTHER.name, 'a', [join.text]);
    const facts = log.facts.length;
    const other = await there.says('not taken');
    expect(await (await start()).receive(OTHER.name, 'a', [join.text])).toEqual(first);
    expect(log.facts).toHaveLength(facts);
    expect(await (await start()).receive(OTHER.name, 'b', [other.text])).toEqual({ [idOf(other)]: {} });
    // Of another server it is another transaction.
    expect(await (await start()).receive(THIRD.name, 'b', [other.text])).toEqual({ [idOf(other)]: {} });
  });

  it.each(['after a restart', 'meanwhile'])(
    'is taken anew where it comes again with more in it than before, %s: its server heard no answer and added to it',
    async (when) => {
      const heard: JsonValue[] = [];
      const edus: EduHandler[] = [{ type: 'm.heard', receive: async (_, { n }) => void heard.push(n ?? null) }];
      const [join, hello] = [await there.joins(), await there.says('hello')];
      const server = await start({ edus });
      const receiving = server.receive(OTHER.name, 'a', [join.text]);
      if (when === 'after a restart') await receiving;
      const later = when === 'after a restart' ? await start({ edus }) : server;
      const told = { edu_type: 'm.heard', content: { n: 1 } };
      const both = { [idOf(join)]: {}, [idOf(hello)]: {} };
      expect(await later.receive(OTHER.name, 'a', [join.text, hello.text])).toEqual(both);
      expect(await later.receive(OTHER.name, 'a', [join.text, hello.text], [told])).toEqual(both);
      expect(await later.receive(OTHER.name, 'a', [join.text, hello.text], [told])).toEqual(both);
      expect(heard).toEqual([1]);
      expect(acceptedIds()).toEqual(expect.arrayContaining([join, hello].map(idOf)));
    },
  );

  it('waits for the first where it comes again while that is under way', async () => {
    const server = await start();
    const join = await there.joins();
    const both = await Promise.all([1, 2].map(() => server.receive(OTHER.name, 'a', [join.text])));
    expect(both[0]).toEqual({ [idOf(join)]: {} });
    expect(both[1]).toBe(both[0]);
    expect(factsIn(originStream(OTHER.name))).toHaveLength(1);
  });

  it('is to be sent again where too many of its server are under way; those of others are taken', async () => {
    const server = await start();
    const join = await there.joins();
    let go = (): void => {};
    const gate = new Promise<void>((resolve) => (go = resolve));
    const find = server.rooms.find.bind(server.rooms);
    server.rooms.find = async (id) => gate.then(() => find(id));
    const taken = Array.from({ length: 10 }, (_, i) => server.receive(OTHER.name, `${i}`, [join.text]));
    const limited = { status: 429, errcode: 'M_LIMIT_EXCEEDED' };
    await expect(server.receive(OTHER.name, 'one more', [join.text])).rejects.toMatchObject(limited);
    taken.push(server.receive(THIRD.name, '1', [join.text]));
    go();
    for (const results of await Promise.all(taken)) expect(results).toEqual({ [idOf(join)]: {} });
    expect(await server.receive(OTHER.name, 'one more', [join.text])).toEqual({ [idOf(join)]: {} });
  });

  it('leaves no more than a few facts of its server in the log', async () => {
    const server = await start();
    const join = await there.joins();
    for (let i = 0; i < 40; i++) await server.receive(OTHER.name, `${i}`, [join.text]);
    expect(factsIn(originStream(OTHER.name)).length).toBeLessThanOrEqual(17);
  });

  it('is not answered where the log is away, and is taken when it comes again', async () => {
    const server = await start();
    const join = await there.joins();
    log.breakNext('done');
    await expect(server.receive(OTHER.name, '1', [join.text])).rejects.toBeInstanceOf(EventStoreUnavailable);
    expect(await server.receive(OTHER.name, '1', [join.text])).toEqual({ [idOf(join)]: {} });
    const orphan = [await there.says('missed'), await there.says('waits')].slice(1);
    log.breakNext('never done');
    await expect(server.receive(OTHER.name, '2', textsOf(orphan))).rejects.toBeInstanceOf(EventStoreUnavailable);
    expect(await server.receive(OTHER.name, '2', textsOf(orphan))).toEqual({ [idOf(orphan[0]!)]: {} });
  });

  it('is taken but for an event that cannot be judged, by whatever mistake of ours', async () => {
    const server = await start();
    const said = [await there.joins(), await there.says('bad'), await there.says('good')];
    const execute = home.execute.bind(home);
    home.execute = async (command: object) => {
      const isBad = command instanceof ReceivePdus && JSON.stringify(command.pdus).includes('"bad"');
      if (isBad) throw new TypeError('a mistake');
      return execute(command);
    };
    const results = await server.receive(OTHER.name, '1', textsOf(said));
    expect(results[idOf(said[0]!)]).toEqual({});
    expect(results[idOf(said[1]!)]?.error).toBeTruthy();
  });

  it('is taken but for the events of a room with which something is wrong', async () => {
    const server = await start();
    const said = [await there.joins(), await there.says('good')];
    const damaged = said[1]!.text.replace(roomId, '!damaged:b.example');
    const find = server.rooms.find.bind(server.rooms);
    server.rooms.find = async (id) => {
      if (id.startsWith('!damaged')) throw new LogDamaged('a fact of it is another');
      return find(id);
    };
    const results = await server.receive(OTHER.name, '1', [damaged, ...textsOf(said)]);
    expect(Object.values(results)).toEqual(
      expect.arrayContaining([{}, {}, { error: expect.stringContaining('could not be judged') as string }]),
    );
    expect(acceptedIds()).toEqual(expect.arrayContaining(said.map(idOf)));
  });

  it('is taken where the views do not show one of its rooms as it is now: its events wait', async () => {
    const server = await start();
    const join = await there.joins();
    const execute = home.execute.bind(home);
    let isBehind = true;
    home.execute = async (command: object) => {
      if (command instanceof ReceivePdus && isBehind) throw new ViewsUnavailable('the graph has not come so far');
      return execute(command);
    };
    expect(await server.receive(OTHER.name, '1', textsOf([join]))).toEqual({ [idOf(join)]: {} });
    expect((await server.log.load()).size).toBe(1);
    isBehind = false;
    server.queue.onModuleDestroy();
    (await start()).queue.onApplicationBootstrap();
    await untilAccepted(join);
  });

  it('is answered for an event that the rules refuse as for any other: it has its place, and others may stand on it', async () => {
    const server = await start();
    const draft = { type: 'm.room.message', sender: BOB, content: { body: 'not in the room' } };
    const stranger = await makeOn(there, OTHER, draft);
    const taken = { [idOf(stranger)]: {} };
    expect(await server.receive(OTHER.name, '1', [stranger.text])).toEqual(taken);
    expect(await server.receive(OTHER.name, '2', [stranger.text])).toEqual(taken);
    expect(home.facts(roomId, 'pdu-rejected')).toHaveLength(1);
    expect(acceptedIds()).not.toContain(idOf(stranger));
  });

  it('is refused for a room that all users of this server have left', async () => {
    const server = await start();
    const [join, hello] = [await there.joins(), await there.says('hello')];
    expect(await server.receive(OTHER.name, '1', [join.text])).toEqual({ [idOf(join)]: {} });
    await home.leave(ALICE, roomId);
    const { [idOf(hello)]: result } = await server.receive(OTHER.name, '2', [hello.text]);
    expect(result?.error).toContain('any more');
    expect(acceptedIds()).not.toContain(idOf(hello));
  });

  it('is refused for rooms whose access list keeps the server out, port or not', async () => {
    const server = await start();
    const [join, hello] = [await there.joins(), await there.says('hello')];
    await server.receive(OTHER.name, '1', [join.text]);
    await home.setState(ALICE, roomId, 'm.room.server_acl', { allow: ['*'], deny: ['b.example'] });
    const { [idOf(hello)]: refused } = await server.receive(OTHER.name, '2', [hello.text]);
    expect(refused?.error).toContain('access list');
    // Handed on by a server that may speak it is the same event.
    expect(await server.receive(THIRD.name, '1', [hello.text])).toEqual({ [idOf(hello)]: {} });
  });
});

describe('EDUs of another server', () => {
  interface Taken {
    readonly type: string;
    readonly origin: ServerName;
    readonly content: JsonObject;
  }
  let taken: Taken[];
  const handler = (type: string, fail?: Error) => ({
    type,
    receive: async (origin: ServerName, content: JsonObject) => {
      if (fail !== undefined) throw fail;
      taken.push({ type, origin, content });
    },
  });
  beforeEach(() => (taken = []));

  it('go to the handler of their type, and a bad one harms no other', async () => {
    const server = await start({ edus: [handler('m.presence'), handler('m.bad', new Error('no'))] });
    const edus = [
      { edu_type: 'm.bad', content: {} },
      7,
      { edu_type: 'm.unknown', content: {} },
      { edu_type: 'm.presence' },
      { edu_type: 'm.presence', content: { push: [] } },
    ];
    expect(await server.receive(OTHER.name, '1', [], edus)).toEqual({});
    expect(taken).toEqual([{ type: 'm.presence', origin: OTHER.name, content: { push: [] } }]);
    await server.receive(OTHER.name, '1', [], edus);
    expect(taken).toHaveLength(1);
  });

  it('are not taken where they nest deeper than anything that is read again', async () => {
    const server = await start({ edus: [handler('m.presence')] });
    const nested = (depth: number): JsonValue => (depth === 0 ? 1 : [nested(depth - 1)]);
    const edus = [99, 100].map((depth) => ({ edu_type: 'm.presence', content: { push: nested(depth) } }));
    await server.receive(OTHER.name, '1', [], edus);
    expect(taken.map(({ content }) => content)).toEqual([edus[0]!.content]);
  });

  it('are to be sent again where the views are away', async () => {
    const server = await start({ edus: [handler('m.presence', new ViewsUnavailable('gone'))] });
    const edus = [{ edu_type: 'm.presence', content: {} }];
    await expect(server.receive(OTHER.name, '1', [], edus)).rejects.toBeInstanceOf(ViewsUnavailable);
  });

  it('are kept from rooms whose access list keeps the server out', async () => {
    const server = await start({ edus: [handler('m.typing'), handler('m.receipt'), handler('m.presence')] });
    const open = await home.open();
    await home.setState(ALICE, roomId, 'm.room.server_acl', { allow: ['*'], deny: ['b.example'] });
    const typing = (room: string) => ({ edu_type: 'm.typing', content: { room_id: room, user_id: BOB, typing: true } });
    const receipt = { edu_type: 'm.receipt', content: { [roomId]: { 'm.read': {} }, [open]: { 'm.read': {} } } };
    const closed = { edu_type: 'm.receipt', content: { [roomId]: { 'm.read': {} } } };
    const presence = { edu_type: 'm.presence', content: { push: [] } };
    await server.receive(OTHER.name, '1', [], [typing(roomId), typing(open), receipt, closed, presence]);
    expect(taken.map(({ type }) => type)).toEqual(['m.typing', 'm.receipt', 'm.presence']);
    expect(taken[0]!.content['room_id']).toBe(open);
    expect(taken[1]!.content).toEqual({ [open]: { 'm.read': {} } });
  });
});

describe('an event that misses others', () => {
  it('is taken, and is in the room with all that was missing once that is fetched', async () => {
    const server = await start();
    const [join, ...said] = [await there.joins(), ...(await sayMany(30))];
    const last = said.at(-1)!;
    expect(await server.receive(OTHER.name, '1', [last.text])).toEqual({ [idOf(last)]: {} });
    await untilAccepted(join, ...said);
    await untilSettled(server);
    expect(peers.count('state_ids')).toBe(0);
    expect(factsIn(INBOUND_STREAM)).toHaveLength(1);
  });

  it('is not answered for before it waits durably', async () => {
    const server = await start();
    const [, missed, last] = [await there.joins(), await there.says('missed'), await there.says('last')];
    let write = () => {};
    const held = new Promise<void>((resolve) => (write = resolve));
    const append = log.append.bind(log);
    const begun = new Promise<void>((resolve) => {
      log.append = async (stream, ...rest) => {
        if (stream === INBOUND_STREAM) {
          resolve();
          await held;
        }
        return append(stream, ...rest);
      };
    });
    let isAnswered = false;
    const answer = server.receive(OTHER.name, '1', [last.text]).finally(() => (isAnswered = true));
    await begun;
    for (let turn = 0; turn < 20; turn++) await nextTurn();
    expect(isAnswered).toBe(false);
    write();
    expect(await answer).toEqual({ [idOf(last)]: {} });
    await untilAccepted(missed, last);
  });

  it('is to be sent again, with what came with it, where what others sent leaves no room for it', async () => {
    const server = await start();
    const [missed, orphan] = [await there.joins(), await there.says('orphan')];
    const add = server.queue.add.bind(server.queue);
    server.queue.add = async () => ({ waiting: [], gaveWay: [], isCrowded: true });
    await expect(server.receive(OTHER.name, '1', textsOf([orphan]))).rejects.toMatchObject({
      status: 429,
      fields: { retry_after_ms: 60_000 },
    });
    server.queue.add = add;
    expect(await server.receive(OTHER.name, '1', textsOf([orphan]))).toEqual({ [idOf(orphan)]: {} });
    await untilAccepted(missed, orphan);
  });

  it('is fetched for after a restart, and by another process', async () => {
    const [, first, second] = [await there.joins(), await there.says('first'), await there.says('second')];
    const before = await start();
    before.queue.onModuleDestroy();
    expect(await before.receive(OTHER.name, '1', [second.text])).toEqual({ [idOf(second)]: {} });
    expect(acceptedIds()).not.toContain(idOf(second));
    const after = await start({}, new RoomCommands(home.views, TEST_AUTHOR, KEYS));
    after.queue.onApplicationBootstrap();
    await untilAccepted(first, second);
  });

  it('stands on the state that its server tells where the gap is too large', async () => {
    const server = await start();
    await there.joins();
    const topic = await makeOn(there, OTHER, { type: 'm.room.message', sender: BOB, content: {} });
    await there.receive(topic.text);
    const said = await sayMany(260);
    const last = said.at(-1)!;
    await server.receive(OTHER.name, '1', [last.text]);
    await untilAccepted(last);
    expect(peers.count('state_ids')).toBe(1);
    expect(peers.count('get_missing_events')).toBeLessThanOrEqual(10);
    expect(acceptedIds()).not.toContain(idOf(said[0]!));
    expect(await home.membership(roomId, BOB)).toBe('join');
  });

  it('stands on a state that is asked for as a whole where much of it is not here', async () => {
    const server = await start();
    await there.joins();
    for (let i = 0; i < 40; i++) await there.joins(OTHER.user(`member${i}`));
    const last = await there.says('last');
    peers.otherwise.set('get_missing_events', async () => {
      throw new PeerRefused(403, {});
    });
    await server.receive(OTHER.name, '1', [last.text]);
    await untilAccepted(last);
    expect(['state_ids', 'state', 'event'].map((what) => peers.count(what))).toEqual([1, 1, 0]);
    expect(await home.membership(roomId, OTHER.user('member39'))).toBe('join');
    expect(await home.workers.look(roomId, async ({ head }) => head.state.rootHash)).toBe(there.state.rootHash);
  });

  it('stands on the states before what it stands on, and on that, where nobody tells the state before itself', async () => {
    const server = await start();
    await server.receive(OTHER.name, '0', [(await there.joins()).text]);
    const before = [...there.state.entries()].map(({ eventId }) => eventId);
    const carol = OTHER.user('carol');
    const lost = await there.joins(carol);
    const [between, last] = [await there.says('between', { sender: carol }), await there.says('last')];
    peers.otherwise.set('get_missing_events', async () => ({ events: [JSON.parse(between.text) as JsonObject] }));
    peers.otherwise.set('state_ids', async (query) => {
      if (query.get('event_id') !== idOf(lost)) throw new PeerRefused(404, {});
      return { pdu_ids: before, auth_chain_ids: [] };
    });
    expect(await server.receive(OTHER.name, '1', [last.text])).toEqual({ [idOf(last)]: {} });
    await untilAccepted(between, last);
    await untilSettled(server);
    expect(acceptedIds()).not.toContain(idOf(lost));
    expect(await home.membership(roomId, carol)).toBe('join');
    expect(await home.workers.look(roomId, async ({ head }) => head.state.rootHash)).toBe(there.state.rootHash);
  });

  it('stands behind what is refused because it names an event of another room among its auth events', async () => {
    const server = await start();
    await server.receive(OTHER.name, '0', [(await there.joins()).text]);
    const before = [...there.state.entries()].map(({ eventId }) => eventId);
    const carol = OTHER.user('carol');
    const member = { type: 'm.room.member', sender: carol, stateKey: carol, content: { membership: 'join' } };
    const foreign = OTHER.make(VERSION, '!room:c.example' as RoomId, { ...member, prev: [], auth: [] });
    const auth = ['m.room.create', 'm.room.power_levels'].map((type) => there.state.get(type, '')!);
    const grab = await makeOn(there, OTHER, { ...member, auth: [...auth, idOf(foreign)] });
    const hers = { type: 'm.room.message', sender: carol, content: { body: 'hers' }, depth: 50 };
    const said = OTHER.make(VERSION, roomId, { ...hers, prev: [idOf(grab)], auth: [...auth, idOf(grab)] });
    const his = { type: 'm.room.message', sender: BOB, content: { body: 'his' }, depth: 51 };
    const last = OTHER.make(VERSION, roomId, {
      ...his,
      prev: [idOf(said)],
      auth: [...auth, there.state.get('m.room.member', BOB)!],
    });
    peers.altered.set(idOf(foreign), JSON.parse(foreign.text) as JsonObject);
    peers.altered.set(idOf(grab), JSON.parse(grab.text) as JsonObject);
    peers.otherwise.set('get_missing_events', async () => ({ events: [JSON.parse(said.text) as JsonObject] }));
    peers.otherwise.set('event_auth', async () => ({ auth_chain: [] }));
    peers.otherwise.set('state_ids', async (query) => {
      if (query.get('event_id') !== idOf(grab)) throw new PeerRefused(404, {});
      return { pdu_ids: before, auth_chain_ids: [] };
    });
    await server.receive(OTHER.name, '1', [last.text]);
    await untilAccepted(last);
    expect(acceptedIds()).not.toContain(idOf(said));
    expect(await home.membership(roomId, carol)).toBeUndefined();
  });

  it('is refused where it names an event of another room among its auth events', async () => {
    const server = await start();
    await server.receive(OTHER.name, '0', [(await there.joins()).text]);
    const foreign = OTHER.make(VERSION, '!room:c.example' as RoomId, {
      type: 'm.room.member',
      sender: BOB,
      stateKey: BOB,
      prev: [],
      auth: [],
    });
    const auth = ['m.room.create', 'm.room.power_levels'].map((type) => there.state.get(type, '')!);
    const draft = { type: 'm.room.message', sender: BOB, content: { body: 'x' }, auth: [...auth, idOf(foreign)] };
    const said = await makeOn(there, OTHER, draft);
    peers.altered.set(idOf(foreign), JSON.parse(foreign.text) as JsonObject);
    peers.otherwise.set('event_auth', async () => ({ auth_chain: [] }));
    await server.receive(OTHER.name, '1', [said.text]);
    await untilSettled(server);
    expect(home.facts(roomId, 'pdu-rejected')).toHaveLength(1);
    expect(acceptedIds()).not.toContain(idOf(said));
  });

  it('stands on no state before what its server does not give, and waits', async () => {
    const server = await start();
    await server.receive(OTHER.name, '0', [(await there.joins()).text]);
    await there.says('lost');
    const last = await there.says('last');
    peers.otherwise.set('get_missing_events', async () => ({ events: [] }));
    const asked: unknown[] = [];
    peers.otherwise.set('state_ids', async (query) => {
      asked.push(query.get('event_id'));
      throw new PeerRefused(404, {});
    });
    await server.receive(OTHER.name, '1', [last.text]);
    await expect.poll(() => asked).not.toEqual([]);
    await expect.poll(() => peers.count('get_missing_events')).toBe(1);
    expect(new Set(asked)).toEqual(new Set([idOf(last)]));
    expect(acceptedIds()).not.toContain(idOf(last));
  });

  it('lets others have their turn while a state is looked at that is one event over and over', async () => {
    const server = await start();
    const join = await there.joins();
    for (let i = 0; i < 40; i++) await there.joins(OTHER.user(`member${i}`));
    const last = await there.says('last');
    peers.otherwise.set('get_missing_events', async () => {
      throw new PeerRefused(403, {});
    });
    let turns = 0;
    let isAsked = false;
    const count = (): void => {
      turns++;
      if (isAsked) setImmediate(count);
    };
    peers.otherwise.set('state', async () => {
      isAsked = true;
      setImmediate(count);
      return { pdus: Array.from({ length: 20_000 }, () => JSON.parse(join.text) as JsonObject), auth_chain: [] };
    });
    peers.otherwise.set('event', async () => {
      isAsked = false;
      throw new PeerRefused(404, {});
    });
    await server.receive(OTHER.name, '1', [last.text]);
    await expect.poll(() => peers.count('event')).toBeGreaterThan(0);
    expect(turns).toBeGreaterThanOrEqual(200);
  });

  it('stands on a state without what nobody has of it, or is not signed as it must be', async () => {
    const server = await start();
    await there.joins();
    const [forged, lost] = [await there.joins(OTHER.user('forged')), await there.joins(OTHER.user('lost'))];
    const last = await there.says('last');
    peers.altered.set(idOf(forged), { ...(JSON.parse(forged.text) as JsonObject), signatures: {} });
    const pdu = peers.pdu.bind(peers);
    peers.pdu = (eventId) => {
      if (eventId === idOf(lost)) throw new PeerRefused(404, {});
      return pdu(eventId);
    };
    peers.otherwise.set('get_missing_events', async () => {
      throw new PeerRefused(403, {});
    });
    await server.receive(OTHER.name, '1', [last.text]);
    await untilAccepted(last);
    expect(await home.membership(roomId, BOB)).toBe('join');
    expect(await home.membership(roomId, OTHER.user('forged'))).toBeUndefined();
    expect(await home.membership(roomId, OTHER.user('lost'))).toBeUndefined();
  });

  async function sayMany(count: number): Promise<ForeignPdu[]> {
    const said: ForeignPdu[] = [];
    for (let i = 0; i < count; i++) said.push(await there.says(`${i}`));
    return said;
  }

  it('holds up no other room, nor other servers, while its own answers nothing', async () => {
    const server = await start();
    const other = await home.open();
    const elsewhere = new RoomElsewhere(other, VERSION, KEYS, OTHER);
    await elsewhere.hear(home);
    const [, , second] = [await there.joins(), await there.says('first'), await there.says('second')];
    peers.otherwise.set('get_missing_events', () => new Promise(() => {}));
    expect(await server.receive(OTHER.name, '1', [second.text])).toEqual({ [idOf(second)]: {} });
    const join = await elsewhere.joins();
    expect(await server.receive(OTHER.name, '2', [join.text])).toEqual({ [idOf(join)]: {} });
    expect(home.facts(other, 'pdu-accepted').at(-1)!.data).toContain(idOf(join));
  });

  it('has its state fetched though another server, in many rooms, does not answer for those', async () => {
    const server = await start();
    const states = peers.ask.bind(peers);
    const slow = new Set<string>();
    const rooms = [there];
    for (let i = 0; i < 5; i++) {
      const elsewhere = new RoomElsewhere(await home.open(), VERSION, KEYS, OTHER);
      await elsewhere.hear(home);
      slow.add(encodeURIComponent(elsewhere.roomId));
      rooms.push(elsewhere);
    }
    peers.ask = async (name, request) => {
      if (request.path.includes('get_missing_events')) throw new PeerRefused(403, {});
      return [...slow].some((id) => request.path.includes(id)) ? new Promise(() => {}) : states(name, request);
    };
    for (const room of rooms.slice(1)) {
      await room.joins();
      await server.receive(OTHER.name, room.roomId, [(await room.says('slow')).text]);
    }
    await there.joins();
    const last = await there.says('last');
    await server.receive(THIRD.name, '1', [last.text]);
    await untilAccepted(last);
  });

  it('is asked for ever more rarely where nobody has what it misses, and the same of the same server once in a while', async () => {
    let now = 0;
    const server = await start({ elapsed: () => now, servers: [THIRD.name] });
    await there.joins();
    const orphan = await makeOn(there, OTHER, {
      type: 'm.room.message',
      sender: BOB,
      prev: [idOf(await there.says('x'))],
    });
    for (const what of ['get_missing_events', 'state_ids', 'event_auth']) {
      peers.otherwise.set(what, async () => ({ events: [], pdu_ids: 7 }));
    }
    await server.receive(OTHER.name, '1', [orphan.text]);
    await expect.poll(() => peers.count('state_ids')).toBeGreaterThanOrEqual(2);
    const asked = peers.asked.length;
    now += 10_000;
    await server.receive(OTHER.name, '2', [orphan.text]);
    await expect.poll(async () => (await server.log.load()).size).toBe(1);
    expect(peers.asked.length - asked).toBeLessThanOrEqual(1);
  });
});

describe('what is sent to a room while a user here joins it', () => {
  it('waits until that has ended, and is there then', async () => {
    const here = new ForeignServer('a.example', 1);
    const author = { serverName: here.name, signingKey: here.signingKey };
    const keys = keysOf(here, OTHER);
    const told = await makeRoomToTell(VERSION, OTHER, here, here.user('alice'));
    home = new RoomCommands(home.views, author, keys);
    peers = new TellingServer(told.there);
    const server = await start();
    server.queue.onApplicationBootstrap();
    await told.there.receive(told.join.text);
    const said = await makeOn(told.there, OTHER, { type: 'm.room.message', sender: OTHER.user('alice') });
    const joining = server.rooms.expect(told.roomId, VERSION, async () => {
      expect(await server.receive(OTHER.name, '1', [said.text])).toEqual({ [idOf(said)]: {} });
      await expect.poll(() => peers.asked).toEqual([]);
      return home.execute(tellRoom(told, OTHER));
    });
    expect(await joining).toMatchObject({ kind: 'joined' });
    await expect.poll(() => home.facts(told.roomId).at(-1)!.data).toContain(idOf(said));
    await untilSettled(server);
  });

  it('is not in it where the access list of the room keeps its server out', async () => {
    const here = new ForeignServer('a.example', 1);
    const author = { serverName: here.name, signingKey: here.signingKey };
    const list = { type: 'm.room.server_acl', stateKey: '', content: { allow: ['*'], deny: ['c.example'] } };
    const acl = { ...list, sender: OTHER.user('alice') };
    const told = await makeRoomToTell(VERSION, OTHER, here, here.user('alice'), [acl]);
    home = new RoomCommands(home.views, author, keysOf(here, OTHER, THIRD));
    peers = new TellingServer(told.there);
    const server = await start();
    server.queue.onApplicationBootstrap();
    await told.there.receive(told.join.text);
    const said = await makeOn(told.there, OTHER, { type: 'm.room.message', sender: OTHER.user('alice') });
    await server.rooms.expect(told.roomId, VERSION, async () => {
      expect(await server.receive(THIRD.name, '1', [said.text])).toEqual({ [idOf(said)]: {} });
      return home.execute(tellRoom(told, OTHER));
    });
    await untilSettled(server);
    expect(home.facts(told.roomId).at(-1)!.data).not.toContain(idOf(said));
    const [settled] = factsIn(INBOUND_STREAM).filter(({ type }) => type === 'pdu-settled');
    expect(settled?.data).toContain('access list');
  });

  it('is refused where nobody joins it', async () => {
    const server = await start();
    const elsewhere = OTHER.create(VERSION, BOB);
    const { [idOf(elsewhere)]: result } = await server.receive(OTHER.name, '1', [elsewhere.text]);
    expect(result?.error).toContain('not in that room');
    expect((await server.log.load()).size).toBe(0);
  });
});

describe('what a hostile server tells of a gap', () => {
  it('gives way to nothing else of it where it is of another server, which may be told that it is taken', async () => {
    const server = await start();
    await server.receive(OTHER.name, 'join', [(await there.joins()).text]);
    const [first, second, third] = [await there.says('first'), await there.says('second'), await there.says('third')];
    peers.otherwise.set('get_missing_events', () => new Promise(() => {}));
    await server.receive(OTHER.name, '1', [third.text]);
    await server.receive(THIRD.name, '1', [second.text]);
    const waiting = [...(await server.log.load()).values()];
    expect(waiting.map(({ eventId, parents }) => [eventId, parents])).toEqual([
      [idOf(third), [idOf(second)]],
      [idOf(second), undefined],
    ]);
    expect(acceptedIds()).not.toContain(idOf(first));
  });

  it('ends, where it is events that all miss others, without end', async () => {
    const server = await start();
    const join = await there.joins();
    const made = (i: number): ForeignPdu =>
      OTHER.make(VERSION, roomId, {
        type: 'm.room.message',
        sender: BOB,
        content: { body: `${i}` },
        prev: [`$${String(i).padStart(43, 'm')}`],
        auth: [idOf(join)],
      });
    let count = 0;
    peers.otherwise.set('get_missing_events', async () => ({
      events: Array.from({ length: 100 }, () => JSON.parse(made(count++).text) as JsonObject),
    }));
    peers.otherwise.set('state_ids', async () => ({ pdu_ids: [], auth_chain_ids: [] }));
    const last = made(-1);
    await server.receive(OTHER.name, '1', [last.text]);
    await expect.poll(() => peers.count('state_ids')).toBeGreaterThan(0);
    expect(peers.count('get_missing_events')).toBeLessThanOrEqual(11);
    expect(acceptedIds()).not.toContain(idOf(last));
    expect(home.facts(roomId).length).toBeLessThan(20);
  });

  it('ends, where it goes round in a circle', async () => {
    const version = findRoomVersion('1')!;
    roomId = await home.open({ room_version: '1' });
    there = new RoomElsewhere(roomId, version, KEYS, OTHER);
    await there.hear(home);
    peers = new TellingServer(there);
    const server = await start();
    await server.receive(OTHER.name, 'join', [(await there.joins()).text]);
    const ids = Array.from({ length: 5 }, (_, i) => `$circle${i}:b.example`);
    const circle = await Promise.all(
      ids.map((id, i) =>
        makeOn(there, OTHER, {
          type: 'm.x',
          sender: BOB,
          pdu: { event_id: id, prev_events: [[ids[(i + 1) % 5]!, {}]] },
        }),
      ),
    );
    peers.otherwise.set('get_missing_events', async () => ({ events: circle.map(({ text }) => JSON.parse(text)) }));
    for (const what of ['state_ids', 'event']) {
      peers.otherwise.set(what, async () => {
        throw new PeerRefused(404, {});
      });
    }
    await server.receive(OTHER.name, '1', [circle[0]!.text]);
    await expect.poll(() => peers.count('state_ids')).toBeGreaterThan(0);
    expect(peers.count('get_missing_events')).toBeLessThanOrEqual(3);
    expect(acceptedIds()).not.toContain(ids[0]);
  });

  it('is refused where it names thousands of parents', async () => {
    const server = await start();
    await server.receive(OTHER.name, 'join', [(await there.joins()).text]);
    const prev = Array.from({ length: 1_000 }, (_, i) => `$${String(i).padStart(43, 'm')}`);
    const { hashes: _, signatures: __, ...said } = JSON.parse((await there.says('x')).text) as JsonObject;
    const many = sealEvent({ ...said, prev_events: prev }, VERSION, OTHER.name, OTHER.signingKey);
    const { [many.eventId]: result } = await server.receive(OTHER.name, '1', [many.json]);
    expect(result?.error).toBeTruthy();
    expect(peers.asked).toEqual([]);
  });

  it('is dropped where it is of another room, forged, no object, or refers to itself', async () => {
    const server = await start();
    const [join, first, second] = [await there.joins(), await there.says('first'), await there.says('second')];
    const forged = JSON.parse(first.text) as JsonObject;
    const deep = JSON.parse(`${'{"a":'.repeat(90)}1${'}'.repeat(90)}`) as JsonObject;
    peers.otherwise.set('get_missing_events', async () => ({
      events: [
        7,
        deep,
        { ...forged, room_id: '!x:b.example' },
        { ...forged, signatures: {} },
        JSON.parse(join.text),
        forged,
      ],
    }));
    await server.receive(OTHER.name, '1', [second.text]);
    await untilAccepted(join, first, second);
  });
});

describe('a server that nobody knows', () => {
  it('has its keys fetched for events that wait for them', async () => {
    let known: ServerKeys = KEYS;
    const keys: ServerKeys = { find: (...key) => known.find(...key) };
    home = new RoomCommands(home.views, TEST_AUTHOR, keys);
    const wanted: string[] = [];
    const server = await start({
      fetchKeys: async (list) => {
        wanted.push(...list.map(({ serverName }) => serverName));
        const theirs = keysOf(THIRD);
        known = { find: (...key) => KEYS.find(...key) ?? theirs.find(...key) };
      },
    });
    const carol = THIRD.user('carol');
    const join = await makeOn(there, THIRD, {
      type: 'm.room.member',
      sender: carol,
      stateKey: carol,
      content: { membership: 'join' },
    });
    expect(await server.receive(THIRD.name, '1', [join.text])).toEqual({ [idOf(join)]: {} });
    await untilAccepted(join);
    expect(wanted).toContain(THIRD.name);
  });

  it('is asked for the whole of an event that came altered, and what is left of it is taken where nobody has more', async () => {
    const server = await start();
    const join = await there.joins();
    await server.receive(OTHER.name, '1', [join.text]);
    const [whole, left] = [await there.says('whole'), await there.says('left')];
    const altered = (pdu: ForeignPdu): string => pdu.text.replace(/"content":\{"body":"\w+"\}/, '"content":{}');
    await server.receive(THIRD.name, '1', [altered(whole)]);
    await untilAccepted(whole);
    peers.otherwise.set('event', async () => ({ pdus: [] }));
    await server.receive(THIRD.name, '2', [altered(left)]);
    await untilAccepted(left);
    const bodies = home.events(roomId).map(({ content }) => (content as JsonObject)['body']);
    expect(bodies).toContain('whole');
    expect(bodies).not.toContain('left');
  });
});
