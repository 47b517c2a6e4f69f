import { afterEach, beforeEach, expect, test } from 'vitest';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import type { EventId, RoomId } from '#kernel/ids';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import { ForkedRoom, OTHER_SERVER } from '#testing/forked-room';
import { roomPath, SyncApp, type SyncUser } from '#testing/sync-app';

const V1 = '/_matrix/client/api/v1';
const CAROL = OTHER_SERVER.user('carol');

let app: SyncApp;
let alice: SyncUser;
let bob: SyncUser;
let roomId: RoomId;
let others: ForkedRoom;

/** Carol of another server is in Alice's room, with all rights. */
beforeEach(async () => {
  app = await SyncApp.start();
  [alice, bob] = [await app.register('alice'), await app.register('bob')];
  const levels = { users: { [alice.userId]: 100, [CAROL]: 100 }, events: { 'm.room.name': 50 } };
  const room = { room_version: '11', preset: 'public_chat', power_level_content_override: levels };
  roomId = (await alice.createRoom(room)) as RoomId;
  others = new ForkedRoom(app.get<EventStore>(EVENT_STORE as never), { roomId, version: findRoomVersion('11')! });
  await others.join(CAROL);
});
afterEach(() => app.close());

async function says(body: string, prevEvents: readonly EventId[]): Promise<EventId> {
  const draft = { sender: CAROL, type: 'm.room.message', content: { body }, prevEvents };
  return (await others.receive(draft, 'pdu-accepted', { visibility: 'joined' })).eventId;
}

test('what was said where a user was not is told them by no stream, though they were in the room when it came', async () => {
  const fork = await others.extremities();
  await bob.join(roomId);
  const [ours, theirs] = [(await alice.sync()).next_batch, (await bob.sync()).next_batch];
  await says('ASIDE', fork);
  await alice.send(roomId, 'last');
  const ways = (since: string): string[] => [
    '/sync',
    `/sync?since=${since}`,
    `${V1}/events?from=${since}&timeout=0`,
    `${V1}/initialSync?limit=20`,
    `${V1}${roomPath(roomId)}/initialSync?limit=20`,
  ];
  for (const path of ways(theirs)) {
    const text = JSON.stringify(await bob.ok('GET', path));
    expect(text.includes('last') && !text.includes('ASIDE'), path).toBe(true);
  }
  for (const path of ways(ours)) expect(JSON.stringify(await alice.ok('GET', path)), path).toContain('ASIDE');
  const { rooms } = await bob.sync();
  expect(rooms.join[roomId].unread_notifications.notification_count).toBe(1);
});
