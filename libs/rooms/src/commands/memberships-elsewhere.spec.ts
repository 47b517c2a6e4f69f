import { beforeEach, describe, expect, it } from 'vitest';
import type { EventId, RoomId, ServerName } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { BOB } from '#testing/local-room';
import { MemoryEventStore } from '#testing/memory-event-store';
import { requesterOf } from '#testing/room-commands';
import { RoomViews } from '#testing/room-views';
import type { MembershipTold } from '../facts/elsewhere-facts.js';
import type { RemoteMembership, RemoteRooms } from '../remote-rooms.js';
import { MembershipsElsewhere } from './memberships-elsewhere.js';
import { StaysElsewhere } from './stays-elsewhere.js';

const ROOM = '!room:b.example' as RoomId;
const CLOCK = { now: () => 1 };

let log: MemoryEventStore;
let views: RoomViews;
let elsewhere: MembershipsElsewhere;
/** Whom the user asked to let them go, each time. */
let asked: (readonly ServerName[])[];
let stays: StaysElsewhere;

beforeEach(() => {
  log = new MemoryEventStore();
  views = new RoomViews(log);
  elsewhere = new MembershipsElsewhere(views.today, CLOCK, views);
  asked = [];
  const leave = async ({ servers }: RemoteMembership) => void asked.push(servers);
  stays = new StaysElsewhere(elsewhere, CLOCK as never, { leave } as unknown as RemoteRooms);
});

function told(sender: string, membership: MembershipTold['membership'], more: JsonObject = {}): MembershipTold {
  const origin = sender.replace(/^[^:]*:/, '') as ServerName;
  const pdu = { type: 'm.room.member', sender, state_key: BOB, content: { membership }, origin_server_ts: 1, depth: 1 };
  const eventId = `$${membership} ${sender}` as EventId;
  return { room_id: ROOM, room_version: '11', membership, event_id: eventId, origin, pdu, state: [], ...more };
}

const invite = (sender: string, more?: JsonObject) =>
  elsewhere.invite(BOB, told(sender, 'invite', more), { actor: sender });
const takeBack = (sender: string) => elsewhere.end(BOB, told(sender, 'leave'), { actor: sender });
const shown = async () => {
  const { membership, event_id: eventId } = (await elsewhere.find(BOB, ROOM)) ?? {};
  return eventId === undefined ? undefined : [membership, eventId];
};

describe('a user whom users of several servers invite to one room', () => {
  beforeEach(async () => {
    await invite('@friend:b.example');
    await invite('@eve:c.example');
  });
  const first = ['invite', '$invite @friend:b.example'];
  const second = ['invite', '$invite @eve:c.example'];

  it('is shown the first, and may be let in by the servers of all', async () => {
    expect(await shown()).toEqual(first);
    expect((await elsewhere.find(BOB, ROOM))?.servers).toEqual(['b.example', 'c.example']);
  });

  it('is shown it still once the other is taken back', async () => {
    await takeBack('@eve:c.example');
    expect(await shown()).toEqual(first);
    expect((await elsewhere.find(BOB, ROOM))?.servers).toEqual(['b.example']);
  });

  it('is shown the other once the first is taken back, and none when both are', async () => {
    await takeBack('@friend:b.example');
    expect(await shown()).toEqual(second);
    await takeBack('@friend:b.example');
    expect(await shown()).toEqual(second);
    await takeBack('@eve:c.example');
    expect(await shown()).toEqual(['leave', '$leave @eve:c.example']);
  });

  it('is shown the newest of a server that invites them again, and loses no other by that', async () => {
    await invite('@friend:b.example', { event_id: '$again' });
    expect(await shown()).toEqual(['invite', '$again']);
    await takeBack('@friend:b.example');
    expect(await shown()).toEqual(second);
  });

  it('turns all of them down at once, each where it came from', async () => {
    expect(await stays.leave(requesterOf(BOB), ROOM)).toBe(true);
    expect(await shown()).toMatchObject(['leave', expect.anything()]);
    expect(asked).toEqual([['b.example', 'c.example'], ['c.example']]);
    // What is turned down is shown no more, whatever becomes of one that comes since.
    await invite('@mallory:d.example');
    await takeBack('@mallory:d.example');
    expect(await shown()).toMatchObject(['leave', expect.anything()]);
  });

  it('is not invited by more servers than there is a use for', async () => {
    const others = Array.from({ length: 7 }, (_, i) => `@one:${i}.example`);
    for (const other of others) await invite(other);
    await expect(invite('@one:more.example')).rejects.toMatchObject({ errcode: 'M_LIMIT_EXCEEDED' });
    await invite('@eve:c.example', { event_id: '$again' });
    expect(await shown()).toEqual(first);
  });
});

it('a user who knocks is shown an invitation, and the knock again once a server takes back what it made up', async () => {
  const knock = { ...told(BOB, 'knock'), origin: 'b.example' as ServerName };
  await elsewhere.tell(BOB, knock, { actor: BOB });
  await invite('@eve:c.example');
  expect(await shown()).toEqual(['invite', '$invite @eve:c.example']);
  await takeBack('@eve:c.example');
  expect(await shown()).toEqual(['knock', knock.event_id]);
});

it('nothing is left in the log and in the views of what was kept of a user whose account is closed', async () => {
  await invite('@friend:b.example');
  await invite('@eve:c.example');
  expect(await elsewhere.close(BOB, { actor: BOB })).toBe(true);
  const left = log.facts.filter(({ stream }) => stream === `elsewhere-${BOB}`);
  expect(left.map(({ type }) => type)).toEqual(['stays-ended']);
  for (const collection of ['elsewhere', 'kept-memberships', 'user-rooms', 'membership-log']) {
    expect(await views.store.scan(collection, { prefix: [], limit: 1 })).toEqual([]);
  }
});

it('nothing is written of a user whose account is closed and who was never told of a room elsewhere', async () => {
  expect(await elsewhere.close(BOB, { actor: BOB })).toBe(false);
  expect(log.facts).toEqual([]);
});
