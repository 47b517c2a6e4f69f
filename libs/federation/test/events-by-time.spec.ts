import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '#kernel/clock';
import type { EventId } from '#kernel/ids';
import { PeerRefused } from '#kernel/peer-errors';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import { ClosestEvents } from '#rooms/queries/closest-events';
import { FillGaps } from '#rooms/queries/fill-gaps';
import { MemoryEventStore } from '#testing/memory-event-store';
import { ForeignServer, type ForeignPdu } from '#testing/receiving/foreign-server';
import { keysOf } from '#testing/receiving/memory-room';
import { ReceivingServer } from '#testing/receiving/receiving-server';
import { TellingServer } from '#testing/receiving/telling-server';
import { makeRoomToTell, type RoomToTell, tellRoom } from '#testing/receiving/told-room';
import { RoomCommands } from '#testing/room-commands';
import { RoomViews } from '#testing/room-views';
import { PeersTimes } from '../src/asking/peers-times.js';
import type { ServersToAsk } from '../src/joining/servers-to-ask.js';
import type { Peers } from '../src/peers/peers.js';

const HERE = new ForeignServer('a.example', 1);
const OTHER = new ForeignServer('b.example', 2);
const THIRD = new ForeignServer('c.example', 3);
const ALICE = HERE.user('alice');
const VERSION = findRoomVersion('11')!;
const READER = { userId: ALICE, ignored: new Set<never>() };
const WHAT = 'timestamp_to_event';

let told: RoomToTell;
let peers: TellingServer;
let server: ReceivingServer;
let closest: ClosestEvents;

beforeEach(async () => {
  // The join is of the time 1000.
  const said = Array.from({ length: 40 }, (_, i) => ({
    type: 'm.room.message',
    sender: OTHER.user('alice'),
    content: { body: `${i}` },
    ts: 100 + 10 * i,
  }));
  told = await makeRoomToTell(VERSION, OTHER, HERE, ALICE, said);
  const author = { serverName: HERE.name, signingKey: HERE.signingKey };
  const home = new RoomCommands(new RoomViews(new MemoryEventStore()), author, keysOf(HERE, OTHER));
  expect(await home.execute(tellRoom(told, OTHER))).toMatchObject({ kind: 'joined' });
  peers = new TellingServer(told.there);
  server = await ReceivingServer.start(home, peers, { servers: [OTHER.name] });
  const servers = { of: async () => [THIRD.name, OTHER.name] } as unknown as ServersToAsk;
  const times = new PeersTimes(peers as unknown as Peers, servers);
  closest = new ClosestEvents(home.views, new FillGaps(server.backfill, home.views, systemClock), times);
});
afterEach(() => server.queue.onModuleDestroy());

const messages = (): readonly ForeignPdu[] => told.events.filter(({ event }) => event.type === 'm.room.message');

/** Lets the others name the event that they have closest to a time. */
function letThemTell(): void {
  peers.otherwise.set(WHAT, async (query) => {
    const [time, direction] = [Number(query.get('ts')), query.get('dir')];
    const fits = messages().filter(({ event: { originServerTs: at } }) =>
      direction === 'f' ? at >= time : at <= time,
    );
    const found = direction === 'f' ? fits[0] : fits.at(-1);
    if (found === undefined) throw new PeerRefused(404, { errcode: 'M_NOT_FOUND' });
    return { event_id: found.event.eventId, origin_server_ts: found.event.originServerTs };
  });
}

const find = async (time: number, direction: 'b' | 'f'): Promise<EventId> =>
  (await closest.find(told.roomId, READER, time, direction)).eventId;

describe('the event closest to a time', () => {
  it('is fetched of who has it, where events are missing here', async () => {
    letThemTell();
    const [, , third] = messages();
    expect(await find(121, 'b')).toBe(third!.event.eventId);
    const asked = peers.count(WHAT);
    // It is here now, and no other can be closer.
    expect(await find(120, 'f')).toBe(third!.event.eventId);
    expect(peers.count(WHAT)).toBe(asked);
  });

  it('is the one that is here where others name none, or one that is no closer, or on the other side', async () => {
    const first = await find(0, 'f');
    expect(first).toBe(told.join.event.eventId);
    const name = (eventId: string, sentAt: unknown) =>
      peers.otherwise.set(WHAT, async () => ({ event_id: eventId, origin_server_ts: sentAt as number }));
    const [early] = messages();
    for (const [eventId, sentAt] of [
      ['$none', 1],
      ['none', 1],
      [early!.event.eventId, 'x'],
      [early!.event.eventId, 5_000_000_000_000],
    ] as const) {
      name(eventId, sentAt);
      expect(await find(1, 'f')).toBe(first);
    }
    // It says that it was sent when it was not.
    name(early!.event.eventId, 600);
    expect(await find(500, 'f')).toBe(first);
  });

  it('is asked of nobody where all that is around is here', async () => {
    letThemTell();
    await expect(find(5_000_000_000_000, 'f')).rejects.toMatchObject({ errcode: 'M_NOT_FOUND' });
    const { eventId } = told.join.event;
    expect(await find(5_000_000_000_000, 'b')).toBe(eventId);
    expect(peers.count(WHAT)).toBe(0);
  });
});
