import { beforeEach, describe, expect, it } from 'vitest';
import type { RoomId } from '#kernel/ids';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import { ALICE, TEST_AUTHOR } from '#testing/local-room';
import { type ForeignPdu, ForeignServer } from '#testing/receiving/foreign-server';
import { keysKnownTo } from '#testing/receiving/memory-room';
import type { RoomElsewhere } from '#testing/receiving/room-elsewhere';
import { openSharedRoom } from '#testing/receiving/shared-room';
import { RoomCommands } from '#testing/room-commands';
import { makeRoomToTell, tellRoom } from '#testing/receiving/told-room';
import { RoomViews } from '#testing/room-views';
import { UncertainEventStore } from '#testing/uncertain-event-store';
import { ReceiveOutliers } from './receive-outliers.js';
import { ReceiveRoom } from './receive-room.js';
import type { Receipt } from './receiving.js';

const OTHER = new ForeignServer('b.example', 2);
const HERE = new ForeignServer('a.example', 1);
const BOB = OTHER.user('bob');
/** Ids are the hashes of events from version 3 on: before that a server gives them, and can name what it has not made yet. */
const VERSION = findRoomVersion('1')!;
const KEYS = keysKnownTo(TEST_AUTHOR, OTHER);

let home: RoomCommands;
let roomId: RoomId;
let there: RoomElsewhere;

beforeEach(async () => {
  const log = new UncertainEventStore();
  ({ home, roomId, there } = await openSharedRoom(OTHER, KEYS, { version: '1', log }));
});

const idOf = (name: string): string => `$${name}:${OTHER.name}`;

/** An event that names others, whether they are there or not. */
function naming(name: string, prev: readonly string[], auth: readonly string[], room: RoomId = roomId): ForeignPdu {
  const draft = { type: 'm.room.message', sender: BOB, content: { body: name }, depth: 9 };
  const ids = (names: readonly string[]): string[] => names.map(idOf);
  return OTHER.make(VERSION, room, { ...draft, prev: ids(prev), auth: ids(auth), pdu: { event_id: idOf(name) } });
}

const textsOf = (pdus: readonly ForeignPdu[]): string[] => pdus.map(({ text }) => text);
const kindsOf = ({ received }: Receipt): string[] => received.map(({ kind }) => kind);

describe('events that stand on each other in a circle', () => {
  it('are waited for like others that miss something, and hold up nothing', async () => {
    const circle = [naming('one', ['two'], []), naming('two', ['three'], []), naming('three', ['one'], [])];
    const itself = naming('itself', ['itself'], []);
    const join = await there.joins();
    const first = await there.sends(home, ...circle, itself, join);
    expect(kindsOf(first)).toEqual(['missing', 'missing', 'missing', 'dropped', 'accepted']);
    expect(kindsOf(await there.sends(home, ...circle))).not.toContain('accepted');
    await home.send(ALICE, roomId);
    const hello = await there.says('hello');
    expect(kindsOf(await there.sends(home, hello))).toEqual(['accepted']);
    expect(home.facts(roomId).some(({ data }) => data.includes(idOf('one')))).toBe(false);
  });

  it('are not kept where they authorise each other', async () => {
    const circle = [naming('one', [], ['two']), naming('two', [], ['one']), naming('itself', [], ['itself'])];
    const receipt = await home.execute(new ReceiveOutliers(OTHER.name, roomId, textsOf(circle)));
    expect(kindsOf(receipt)).toEqual(['dropped']);
    expect(home.facts(roomId, 'outlier-stored')).toEqual([]);
  });

  it('are left out of a room that is told, with which it is joined all the same', async () => {
    const author = { serverName: HERE.name, signingKey: HERE.signingKey };
    const joining = new RoomCommands(new RoomViews(new UncertainEventStore()), author, keysKnownTo(author, OTHER));
    const told = await makeRoomToTell(VERSION, OTHER, HERE, HERE.user('alice'));
    const { origin, told: all } = tellRoom(told, OTHER);
    const circle = [naming('one', [], ['two'], told.roomId), naming('two', [], ['one'], told.roomId)];
    const itself = naming('itself', [], ['itself'], told.roomId);
    const authChain = textsOf([...told.authChain, ...circle, itself]);
    const receiving = new ReceiveRoom(origin, told.roomId, VERSION, { ...all, authChain });
    expect(await joining.execute(receiving)).toMatchObject({ kind: 'joined', leftOut: { count: 3 } });
  });
});
