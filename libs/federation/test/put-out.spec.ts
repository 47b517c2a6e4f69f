import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RoomId } from '#kernel/ids';
import { PeerRefused } from '#kernel/peer-errors';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import { EndStay } from '#rooms/commands/end-stay';
import { ALICE, BOB as CAROL, TEST_AUTHOR } from '#testing/local-room';
import { MemoryEventStore } from '#testing/memory-event-store';
import { type ForeignPdu, ForeignServer } from '#testing/receiving/foreign-server';
import { keysKnownTo } from '#testing/receiving/memory-room';
import { ReceivingServer } from '#testing/receiving/receiving-server';
import { RoomElsewhere } from '#testing/receiving/room-elsewhere';
import { TellingServer } from '#testing/receiving/telling-server';
import { RoomCommands } from '#testing/room-commands';
import { RoomViews } from '#testing/room-views';

const OTHER = new ForeignServer('b.example', 2);
const BOB = OTHER.user('bob');
const KEYS = keysKnownTo(TEST_AUTHOR, OTHER);
const POWERS = { users: { [ALICE]: 100, [BOB]: 50 } };

let home: RoomCommands;
let roomId: RoomId;
let there: RoomElsewhere;
let peers: TellingServer;
let server: ReceivingServer;

beforeEach(async () => {
  home = new RoomCommands(new RoomViews(new MemoryEventStore()), TEST_AUTHOR, KEYS);
  roomId = await home.open();
  await home.setState(ALICE, roomId, 'm.room.power_levels', POWERS);
  there = new RoomElsewhere(roomId, findRoomVersion('11')!, KEYS, OTHER);
  await there.hear(home);
  peers = new TellingServer(there);
  server = await ReceivingServer.start(home, peers);
  await server.receive(OTHER.name, 'joins', [(await there.joins()).text]);
  await home.join(CAROL, roomId);
  await there.hear(home);
});
afterEach(() => server.queue.onModuleDestroy());

/** Whatever it is asked of the room, the other server refuses. */
function tellsNothing(status: number, errcode: string): void {
  const refuse = async (): Promise<never> => {
    throw new PeerRefused(status, { errcode });
  };
  for (const what of ['get_missing_events', 'state_ids', 'state', 'event', 'event_auth'])
    peers.otherwise.set(what, refuse);
}

/** Bob puts Carol out, behind something that is not here. */
async function putOut(membership: 'leave' | 'ban'): Promise<ForeignPdu> {
  await there.says('missed');
  return there.makes({ type: 'm.room.member', stateKey: CAROL, content: { membership, reason: 'enough' } });
}

const waiting = async () => (await server.log.load()).size;

describe('who is put out by an event before which nobody tells anything', () => {
  it.each(['leave', 'ban'] as const)(
    'has left, where its server says that we are not in the room (%s)',
    async (how) => {
      tellsNothing(403, 'M_FORBIDDEN');
      await server.receive(OTHER.name, 'end', [(await putOut(how)).text]);
      await expect.poll(waiting).toBe(0);
      expect(await home.state(roomId, 'm.room.member', CAROL)).toEqual({ membership: 'leave', reason: 'enough' });
      expect(await home.membership(roomId, ALICE)).toBe('join');
    },
  );

  it.each([
    [404, 'M_NOT_FOUND'],
    [403, 'M_UNABLE_DUE_TO_PARTIAL_STATE'],
  ])('stays where that may be told another time (%i %s)', async (status, errcode) => {
    tellsNothing(status, errcode);
    await server.receive(OTHER.name, 'end', [(await putOut('leave')).text]);
    // For the event, and then to know whether we are in the room.
    await expect.poll(() => peers.count('state_ids')).toBeGreaterThan(1);
    expect(await waiting()).toBe(1);
    expect(await home.membership(roomId, CAROL)).toBe('join');
  });

  it('asks nobody for that because of what is about others', async () => {
    tellsNothing(403, 'M_FORBIDDEN');
    await there.says('missed');
    const invites = { type: 'm.room.member', stateKey: OTHER.user('eve'), content: { membership: 'invite' } };
    await server.receive(OTHER.name, 'invites', [(await there.makes(invites)).text]);
    await expect.poll(() => peers.count('state_ids')).toBe(1);
    await server.receive(OTHER.name, 'end', [(await putOut('leave')).text]);
    await expect.poll(() => home.membership(roomId, CAROL)).toBe('leave');
    // For each of the two, and then whether we are in the room, for the second alone.
    expect(peers.count('state_ids')).toBe(3);
  });

  const counts = ({ event }: ForeignPdu, origin: string = OTHER.name): Promise<boolean> =>
    home.execute(new EndStay(origin as typeof OTHER.name, roomId, event.pdu));

  it('stays where that was another stay, which has ended since', async () => {
    const end = await putOut('leave');
    await home.leave(CAROL, roomId);
    await home.join(CAROL, roomId);
    expect(await counts(end)).toBe(false);
    expect(await home.membership(roomId, CAROL)).toBe('join');
  });

  it('stays where its sender may put nobody out any more', async () => {
    const end = await putOut('ban');
    await home.setState(ALICE, roomId, 'm.room.power_levels', { users: { [ALICE]: 100 } });
    expect(await counts(end)).toBe(false);
    expect(await home.membership(roomId, CAROL)).toBe('join');
  });

  it('stays where another server brings the event than that of its sender, or it is another event', async () => {
    const end = await putOut('ban');
    expect(await counts(end, 'c.example')).toBe(false);
    expect(await counts(await there.says('something'))).toBe(false);
    expect(await home.membership(roomId, CAROL)).toBe('join');
    expect(await counts(end)).toBe(true);
  });
});
