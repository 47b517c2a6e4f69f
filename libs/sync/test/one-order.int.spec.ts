import { afterEach, beforeEach, expect, it } from 'vitest';
import { roomPath, SyncApp, type SyncUser } from '#testing/sync-app';

const V1 = '/_matrix/client/api/v1';
const ROOMS = 7;
let app: SyncApp;
let [alice, bob]: SyncUser[] = [];

beforeEach(async () => {
  app = await SyncApp.start();
  alice = await app.register('alice');
  bob = await app.register('bob');
});
afterEach(() => app.close());

it('rooms and receipts in them come in the order of the ids of the rooms, and whose devices changed in that of their own, whether this process heard of them one after another, or after a restart or a rebuild', async () => {
  const [reader, other] = [bob!, alice!];
  // From here on the rooms are in memory in the order in which bob joins them.
  const { end } = await reader.ok('GET', `${V1}/initialSync`);
  const { next_batch: since } = await reader.sync();
  const others = [other];
  for (const name of ['erin', 'dave', 'carol']) others.push(await app.register(name));
  const ids: string[] = [];
  for (let i = 0; i < ROOMS; i++) {
    const roomId = await others[i % others.length]!.createRoom({ preset: 'public_chat' });
    if (i % others.length > 0) await other.ok('POST', `${roomPath(roomId)}/join`, {});
    ids.push(roomId);
  }
  const sorted = ids.toSorted();
  for (const roomId of sorted.toReversed()) {
    await reader.ok('POST', `${roomPath(roomId)}/join`, {});
    const { event_id: eventId } = await reader.ok('PUT', `${roomPath(roomId)}/send/m.room.message/1`, {
      msgtype: 'm.text',
      body: 'read this',
    });
    await other.ok('POST', `${roomPath(roomId)}/receipt/m.read/${eventId}`, {});
  }
  const roomsIn = (list: readonly { readonly room_id: string }[]): string[] => list.map(({ room_id: id }) => id);
  const told = async (): Promise<object> => {
    const [v1, today] = [await reader.ok('GET', `${V1}/initialSync`), await reader.ok('GET', '/initialSync')];
    const { next_batch: to, device_lists: devices } = await reader.sync({ since });
    const { changed } = await reader.ok('GET', `/keys/changes?from=${since}&to=${to}`);
    const { chunk } = await reader.ok('GET', `${V1}/events?from=${end}&timeout=0&limit=1000`);
    return {
      joined: (await reader.ok('GET', '/joined_rooms')).joined_rooms,
      v1: [roomsIn(v1.rooms), roomsIn(v1.receipts)],
      today: [roomsIn(today.rooms), roomsIn(today.receipts)],
      devices: [devices.changed, changed],
      live: roomsIn(chunk.filter(({ type }: { type: string }) => type === 'm.receipt')),
    };
  };
  const people = others.map(({ userId }) => userId).toSorted();
  const expected = {
    joined: sorted,
    v1: [sorted, sorted],
    today: [sorted, sorted],
    devices: [people, people],
    live: sorted,
  };
  expect(await told()).toEqual(expected);
  await app.restart();
  expect(await told()).toEqual(expected);
  await app.restart(true);
  expect(await told()).toEqual(expected);
});
