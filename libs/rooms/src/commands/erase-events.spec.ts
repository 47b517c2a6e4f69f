import { beforeEach, describe, expect, it, test } from 'vitest';
import type { EventId, RoomId, UserId } from '#kernel/ids';
import { ALICE, TEST_AUTHOR } from '#testing/local-room';
import { type ForeignPdu, ForeignServer } from '#testing/receiving/foreign-server';
import { keysKnownTo } from '#testing/receiving/memory-room';
import type { RoomElsewhere } from '#testing/receiving/room-elsewhere';
import { openSharedRoom } from '#testing/receiving/shared-room';
import type { RoomCommands } from '#testing/room-commands';
import { getEvent } from '../queries/get-event.js';
import { EraseEvents } from './erase-events.js';
import { ReceiveOutliers } from './receive-outliers.js';
import type { Receipt } from './receiving.js';
import { staysWithRoom } from './redact-here.js';

const OTHER = new ForeignServer('b.example', 2);
const BOB = OTHER.user('bob');
const KEYS = keysKnownTo(TEST_AUTHOR, OTHER);
const SECRET = 'unmistakable';

let home: RoomCommands;
let roomId: RoomId;
let there: RoomElsewhere;

beforeEach(async () => {
  ({ home, roomId, there } = await openSharedRoom(OTHER, KEYS));
});

const receive = (...pdus: readonly ForeignPdu[]): Promise<Receipt> => there.sends(home, ...pdus);
const erase = (...eventIds: readonly EventId[]): Promise<number> =>
  home.execute(new EraseEvents(roomId, eventIds, { userId: BOB, isTold: false, order: {} }));

const problems = (): string[] => home.problems(roomId);

describe('what a user is erased of', () => {
  it('goes where its place in the room is not known, and does not come back when it is', async () => {
    const [join, topic] = [await there.joins(BOB), await there.says(SECRET)];
    await receive(join);
    await home.execute(new ReceiveOutliers(OTHER.name, roomId, [topic.text]));
    const { eventId } = topic.event;
    expect(await erase(eventId)).toBe(1);
    expect(home.redacted(roomId)).toMatchObject([{ event_id: eventId, ordered: {}, pdu: { content: {} } }]);
    await receive(topic);
    const [first, again] = home.redacted(roomId);
    expect(again).toEqual(first);
    expect(home.facts(roomId).at(-1)?.type).toBe('pdu-redacted');
    expect(home.facts(roomId).at(-2)?.type).toBe('pdu-accepted');
    await home.views.follow();
    const { row } = await getEvent(home.views, roomId, eventId, { userId: ALICE, ignored: new Set<UserId>() });
    expect(row.header.redactedBy).toBe(first!.redacted_by);
    expect(JSON.stringify(row)).not.toContain(SECRET);
    await erase(eventId);
    expect(home.redacted(roomId)).toHaveLength(2);
    expect(problems()).toEqual([]);
  });
});

test.each([
  ['m.room.power_levels', '', true],
  ['m.policy.rule.user', 'rule', true],
  ['org.matrix.mjolnir.rule.user', 'rule:@spammer:c.example', true],
  ['im.vector.modular.widgets', 'widget', true],
  ['m.bridge', '@bobby:b.example', true],
  ['m.bridge', '@bob:b.example.org', true],
  ['m.room.name', '', false],
  ['m.room.topic', '', false],
  ['m.room.member', '@bob:b.example', false],
  ['m.beacon_info', '@bob:b.example', false],
  ['org.matrix.msc3401.call.member', '_@bob:b.example_PHONE_m.call', false],
  ['org.example.mood', '@bob:b.example', false],
  ['m.room.message', undefined, false],
  ['org.example.said', undefined, false],
])('of what a user set the room keeps %s %j: %j', (type, stateKey, stays) => {
  expect(staysWithRoom({ type, stateKey }, BOB)).toBe(stays);
});
