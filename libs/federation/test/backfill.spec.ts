import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '#kernel/clock';
import type { EventId } from '#kernel/ids';
import { PeerRefused, PeerUnavailable } from '#kernel/peer-errors';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import { ReceivePdus } from '#rooms/commands/receive-pdus';
import { ReceiveState } from '#rooms/commands/receive-state';
import { openRoom } from '#rooms/reading/open-room';
import { getEvent } from '#rooms/queries/get-event';
import { FillGaps } from '#rooms/queries/fill-gaps';
import { gapsWithin, listMessages, type MessagesPage, type PageRequest } from '#rooms/queries/list-messages';
import { MemoryEventStore } from '#testing/memory-event-store';
import { type ForeignPdu, ForeignServer } from '#testing/receiving/foreign-server';
import { type DraftOn, makeOn } from '#testing/receiving/make-on';
import { keysOf } from '#testing/receiving/memory-room';
import { ReceivingServer } from '#testing/receiving/receiving-server';
import { TellingServer } from '#testing/receiving/telling-server';
import { makeRoomToTell, type RoomToTell, tellRoom } from '#testing/receiving/told-room';
import { RoomCommands } from '#testing/room-commands';
import { RoomViews } from '#testing/room-views';

const HERE = new ForeignServer('a.example', 1);
const OTHER = new ForeignServer('b.example', 2);
const THIRD = new ForeignServer('c.example', 3);
const ALICE = HERE.user('alice');
const VERSION = findRoomVersion('11')!;
const READER = { userId: ALICE, ignored: new Set<never>() };

let home: RoomCommands;
let told: RoomToTell;
let peers: TellingServer;
let server: ReceivingServer;
let fill: FillGaps;

beforeEach(async () => {
  const said = Array.from({ length: 130 }, (_, i) => ({
    type: 'm.room.message',
    sender: OTHER.user('alice'),
    content: { body: `${i}` },
  }));
  told = await makeRoomToTell(VERSION, OTHER, HERE, ALICE, said);
  const author = { serverName: HERE.name, signingKey: HERE.signingKey };
  home = new RoomCommands(new RoomViews(new MemoryEventStore()), author, keysOf(HERE, OTHER));
  expect(await home.execute(tellRoom(told, OTHER))).toMatchObject({ kind: 'joined' });
  peers = new TellingServer(told.there);
  server = await ReceivingServer.start(home, peers, { servers: [THIRD.name, OTHER.name] });
  fill = new FillGaps(server.backfill, home.views, systemClock);
});
afterEach(() => server.queue.onModuleDestroy());

async function readPage(request: PageRequest): Promise<MessagesPage> {
  const open = await openRoom(home.views, told.roomId, READER, 'events');
  const read = (): Promise<MessagesPage> => listMessages(open, request);
  return fill.read(told.roomId, request.limit, read, (page) => gapsWithin(page, request));
}

/** Pages back from the newest event until there is nothing more. */
async function readAll(limit: number): Promise<EventId[]> {
  const ids: EventId[] = [];
  let from: PageRequest['from'];
  do {
    const page = await readPage({ direction: 'b', limit, from });
    ids.push(...page.rows.map(({ header }) => header.eventId));
    from = page.end;
  } while (from !== undefined && ids.length < 1_000);
  return ids;
}

describe('the history of before a join', () => {
  it('is paged back whole, with no hole, each event once and in its order', async () => {
    const expected = [...told.events, told.join].map(({ event }) => event.eventId).toReversed();
    expect(await readAll(20)).toEqual(expected);
    const asked = peers.asked.length;
    expect(await readAll(50)).toEqual(expected);
    expect(peers.asked).toHaveLength(asked);
  });

  it('changes nothing of the room as it is now', async () => {
    const state = () => home.workers.look(told.roomId, async ({ head }) => [head.state.rootHash, head.extremities]);
    const before = await state();
    await readAll(40);
    expect(await state()).toEqual(before);
  });

  it('is answered as far as it is here where nobody tells it, who is asked for the same no more', async () => {
    peers.otherwise.set('backfill', async () => {
      throw new PeerRefused(403, { errcode: 'M_FORBIDDEN' });
    });
    const page = await readPage({ direction: 'b', limit: 20 });
    expect(page.rows.map(({ header }) => header.eventId)).toEqual([told.join.event.eventId]);
    expect(page.end).toBeDefined();
    expect(peers.count('backfill')).toBe(2);
    await readPage({ direction: 'b', limit: 20, from: page.end });
    expect(peers.count('backfill')).toBe(2);
  });

  it('is asked of another server where one does not answer', async () => {
    const ask = peers.ask.bind(peers);
    peers.ask = async (name, request) => {
      if (name === THIRD.name) throw new PeerUnavailable('gone');
      return ask(name, request);
    };
    expect((await readPage({ direction: 'b', limit: 20 })).rows).toHaveLength(20);
  });

  it('is waited for some seconds, and found by who asks again', async () => {
    let go = () => {};
    const held = new Promise<void>((resolve) => (go = resolve));
    const ask = peers.ask.bind(peers);
    peers.ask = async (...asked) => held.then(() => ask(...asked));
    let now = 0;
    const hurried = new FillGaps(server.backfill, home.views, { elapsed: () => (now += 9_999) });
    const open = await openRoom(home.views, told.roomId, READER, 'events');
    const request: PageRequest = { direction: 'b', limit: 20 };
    const page = await hurried.read(
      told.roomId,
      20,
      () => listMessages(open, request),
      ({ gaps }) => gaps,
    );
    expect(page.rows).toHaveLength(1);
    go();
    expect((await readPage(request)).rows).toHaveLength(20);
  });

  it('is not believed of events that are forged, of another room, or without end', async () => {
    const { event, text } = told.events.at(-1)!;
    const good = JSON.parse(text) as Record<string, never>;
    peers.otherwise.set('backfill', async () => ({
      pdus: [
        { ...good, depth: 7 },
        { ...good, room_id: '!x:b.example' },
        7,
        {},
        good,
        ...Array.from({ length: 5_000 }, () => ({})),
      ],
    }));
    const page = await readPage({ direction: 'b', limit: 2 });
    expect(page.rows.map(({ header }) => header.eventId)).toEqual([told.join.event.eventId, event.eventId]);
  });
});

describe('the history behind what was refused', () => {
  const [alice, bob] = [OTHER.user('alice'), OTHER.user('bob')];
  const says = (sender: string, body: string, prev: readonly EventId[]): DraftOn => ({
    type: 'm.room.message',
    sender,
    content: { body },
    prev,
  });
  const member = (sender: string, membership: string): DraftOn => ({
    type: 'm.room.member',
    sender,
    stateKey: bob,
    content: { membership },
  });

  /** Something that happens on the other server. */
  async function makes(draft: DraftOn): Promise<ForeignPdu> {
    const pdu = await makeOn(told.there, OTHER, draft);
    expect(await told.there.receive(pdu.text)).toMatchObject({ kind: 'accepted' });
    return pdu;
  }

  async function receive({ text }: ForeignPdu): Promise<unknown> {
    const { received } = await home.execute(new ReceivePdus(OTHER.name, told.roomId, [text]));
    await home.views.follow();
    return received[0].kind;
  }

  it('is found in pages from what was accepted on a soft-failed event', async () => {
    await told.there.receive(told.join.text);
    const joined = await makes(member(bob, 'join'));
    const fork = [joined.event.eventId];
    // The other server hears of it later.
    const kick = await makeOn(told.there, OTHER, { ...member(alice, 'leave'), prev: fork });
    const missed = [await makes(says(alice, 'missed', fork))];
    missed.push(await makes(says(alice, 'missed too', [missed[0]!.event.eventId])));
    const state = [...told.there.state.entries()].map(({ eventId }) => eventId as EventId);
    const first = await makes(says(bob, 'behind the gap', [missed[1]!.event.eventId]));
    const second = await makes(says(bob, 'and on', [first.event.eventId]));
    const last = await makes(says(alice, 'on both', [second.event.eventId]));

    expect([await receive(joined), await receive(kick), await receive(first)]).toEqual([
      'accepted',
      'accepted',
      'missing',
    ]);
    const behind = new ReceiveState(OTHER.name, told.roomId, first.event.eventId, state);
    expect(await home.execute(behind)).toMatchObject({ received: [{ kind: 'soft-failed' }] });
    expect([await receive(second), await receive(last)]).toEqual(['soft-failed', 'accepted']);

    const shown = [...told.events, told.join, joined, kick, ...missed, last];
    const expected = shown.map(({ event }) => event.eventId).toReversed();
    expect(await readAll(20)).toEqual(expected);
    const asked = peers.asked.length;
    expect(await readAll(50)).toEqual(expected);
    expect(peers.asked).toHaveLength(asked);
  });

  const mallory = OTHER.user('mallory');

  /** Has an event come that stands on one which is not here, and the state before it. */
  async function comesAfterGap(last: ForeignPdu): Promise<void> {
    expect(await receive(last)).toBe('missing');
    const state = [...told.there.state.entries()].map(({ eventId }) => eventId as EventId);
    const behind = new ReceiveState(OTHER.name, told.roomId, last.event.eventId, state);
    expect(await home.execute(behind)).toMatchObject({ received: [{ kind: 'accepted' }] });
    await home.views.follow();
  }

  it('is asked for no more once all of it is here, and what lay before it was rejected', async () => {
    await told.there.receive(told.join.text);
    const missed = await makes(says(alice, 'missed', [told.join.event.eventId]));
    let prev = missed.event.eventId;
    for (let i = 0; i < 3; i++) {
      const refused = await makeOn(told.there, OTHER, says(mallory, 'not in the room', [prev]));
      expect(await told.there.receive(refused.text)).toMatchObject({ kind: 'rejected' });
      prev = refused.event.eventId;
    }
    const last = await makes(says(alice, 'last', [prev]));
    await comesAfterGap(last);

    const shown = [...told.events, told.join, missed, last];
    const expected = shown.map(({ event }) => event.eventId).toReversed();
    expect(await readAll(20)).toEqual(expected);
    const asked = peers.asked.length;
    expect((await readPage({ direction: 'b', limit: 200 })).rows).toHaveLength(expected.length);
    expect(peers.asked).toHaveLength(asked);
  });

  it('is asked of each server once in a while where one tells what is no event', async () => {
    await told.there.receive(told.join.text);
    const { eventId } = (await makes(says(alice, 'forged', [told.join.event.eventId]))).event;
    peers.altered.set(eventId, { ...peers.pdu(eventId), signatures: {} });
    await comesAfterGap(await makes(says(alice, 'last', [eventId])));
    await readAll(20);
    const read = async (): Promise<number> => {
      await readAll(200);
      return peers.asked.length;
    };
    expect(await read()).toBe(await read());
  });
});

describe('what is news', () => {
  it('is not taken for the past because a server tells it among that, or somebody looks it up before it has come', async () => {
    const { there } = told;
    await there.receive(told.join.text);
    const topic = await makeOn(there, OTHER, {
      type: 'm.room.topic',
      sender: OTHER.user('alice'),
      stateKey: '',
      content: { topic: 'news' },
    });
    await there.receive(topic.text);
    const { eventId } = topic.event;
    const find = (): Promise<unknown> => getEvent(home.views, told.roomId, eventId, READER);
    await expect(fill.find(told.roomId, eventId, READER, find)).rejects.toMatchObject({ errcode: 'M_NOT_FOUND' });
    await expect(fill.find(told.roomId, eventId, READER, find)).rejects.toMatchObject({ errcode: 'M_NOT_FOUND' });
    expect([peers.count('backfill'), peers.count('event')]).toEqual([0, 1]);
    peers.otherwise.set('backfill', async () => ({
      pdus: [peers.pdu(eventId), peers.pdu(told.events.at(-1)!.event.eventId)],
    }));
    await readPage({ direction: 'b', limit: 2 });
    await expect(find()).rejects.toMatchObject({ errcode: 'M_NOT_FOUND' });
    expect(await server.receive(OTHER.name, '1', [topic.text])).toEqual({ [eventId]: {} });
    expect(await home.state(told.roomId, 'm.room.topic')).toEqual({ topic: 'news' });
  });
});

describe('an event of before a join', () => {
  const find = (eventId: EventId) =>
    fill.find(told.roomId, eventId, READER, () => getEvent(home.views, told.roomId, eventId, READER));

  it('is fetched where somebody looks it up', async () => {
    const { eventId } = told.events.at(-60)!.event;
    expect((await find(eventId)).row.header.eventId).toBe(eventId);
  });

  it('is not there where nobody has it, and nobody is asked by who may not read the room', async () => {
    const lost = `$${'l'.repeat(43)}` as EventId;
    await expect(find(lost)).rejects.toMatchObject({ errcode: 'M_NOT_FOUND' });
    const asked = peers.asked.length;
    const stranger = { ...READER, userId: HERE.user('mallory') };
    const { eventId } = told.events.at(-1)!.event;
    const look = (): Promise<unknown> => getEvent(home.views, told.roomId, eventId, stranger);
    await expect(fill.find(told.roomId, eventId, stranger, look)).rejects.toMatchObject({ errcode: 'M_NOT_FOUND' });
    expect(peers.asked).toHaveLength(asked);
  });
});
