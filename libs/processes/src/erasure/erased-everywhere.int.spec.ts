import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import type { EventId, RoomId, UserId } from '#kernel/ids';
import { parseVerifyKey, type VerifyKey } from '#protocol/signing/signing-key';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import { RoomVerifier } from '#rooms/audit/verify-room';
import { ForkedRoom, OTHER_SERVER } from '#testing/forked-room';
import { TEST_AUTHOR } from '#testing/local-room';
import { SyncApp, type SyncUser } from '#testing/sync-app';
import { expectSameRowsRebuilt } from '#testing/same-rows-rebuilt';

const SECRET = 'the secret word';
const CAROL = OTHER_SERVER.user('carol');
const DAVE = OTHER_SERVER.user('dave');
const KEYS = new Map<string, VerifyKey | undefined>([
  [TEST_AUTHOR.serverName, parseVerifyKey(TEST_AUTHOR.signingKey.publicKey)],
  [OTHER_SERVER.name, OTHER_SERVER.verifyKey],
]);

let app: SyncApp;
let alice: SyncUser;
let roomId: RoomId;
let others: ForkedRoom;

/** Another server's users are in Alice's room: Carol with all rights, Dave with some. */
beforeEach(async () => {
  app = await SyncApp.start();
  alice = await app.register('alice');
  const levels = { users: { [alice.userId]: 100, [CAROL]: 100, [DAVE]: 50 } };
  const room = { room_version: '11', preset: 'public_chat', power_level_content_override: levels };
  roomId = (await alice.createRoom(room)) as RoomId;
  others = new ForkedRoom(app.get<EventStore>(EVENT_STORE as never), { roomId, version: findRoomVersion('11')! });
  for (const sender of [CAROL, DAVE]) {
    const join = { type: 'm.room.member', stateKey: sender, content: { membership: 'join' } };
    await others.receive({ ...join, sender, prevEvents: await others.extremities() });
  }
});
afterEach(() => app.close());

/** How often the files of the log hold what is secret, whatever the store thinks is in them. */
function marks(): number {
  const folder = resolve(app.directory, 'log');
  const files = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isFile());
  const text = files.map(({ name }) => readFileSync(resolve(folder, name), 'latin1')).join('');
  return text.split(SECRET).length - 1;
}

async function redact(eventId: EventId): Promise<void> {
  await alice.ok('PUT', `/rooms/${encodeURIComponent(roomId)}/redact/${encodeURIComponent(eventId)}/t${eventId}`, {});
}

async function expectGone(): Promise<void> {
  await expect.poll(marks).toBe(0);
  const verifier = new RoomVerifier(roomId, (server) => KEYS.get(server));
  expect((await others.facts()).flatMap((fact) => verifier.check(fact))).toEqual([]);
  await expectSameRowsRebuilt(app, ['timeline', 'room-state', 'graph', 'room-summary']);
}

test('what is redacted is in no fact of the log, nor in its files: that resolution had brought back too', async () => {
  const topic = (sender: UserId, text: string, prevEvents: readonly EventId[]) =>
    others.receive({ sender, type: 'm.room.topic', stateKey: '', content: { topic: text }, prevEvents });
  const { eventId } = await topic(CAROL, SECRET, await others.extremities());
  await topic(DAVE, "Dave's", [eventId]);
  const users = { [alice.userId]: 100, [CAROL]: 100, [DAVE]: 0 };
  await others.receive({
    sender: CAROL,
    type: 'm.room.power_levels',
    stateKey: '',
    content: { users },
    prevEvents: [eventId],
  });
  const carrying = (await others.facts()).filter(({ data }) => data.includes(SECRET));
  expect(carrying).toHaveLength(2);
  await redact(eventId);
  await expectGone();
});

test('what is redacted is in no fact of the log, nor in its files: that was there before its place was known too', async () => {
  const said = { sender: CAROL, type: 'm.room.message', content: { body: SECRET } };
  const { eventId } = await others.receiveOutlierFirst({ ...said, prevEvents: await others.extremities() });
  expect((await others.facts()).filter(({ data }) => data.includes(SECRET))).toHaveLength(2);
  await redact(eventId);
  await expectGone();
});

test('what is redacted is in no fact of the log, nor in its files: that nobody was shown too', async () => {
  const said = { sender: CAROL, type: 'm.room.message', content: { body: SECRET } };
  const extremities = await others.extremities();
  const hidden = await others.receive({ ...said, prevEvents: extremities }, 'pdu-soft-failed');
  await redact(hidden.eventId);
  // Dave may not, and why may be said in words of what he said.
  const content = { users: {}, notifications: { [SECRET]: 'x' } };
  const levels = { sender: DAVE, type: 'm.room.power_levels', stateKey: '', content, prevEvents: extremities };
  const told = { reason: `The power level of "${SECRET}" is not an integer`, check: 'auth-events' };
  const rejected = await others.receive(levels, 'pdu-rejected', told);
  await redact(rejected.eventId);
  await expectGone();
});
