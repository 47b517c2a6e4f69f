import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ClientEvent, createClient, type MatrixClient, type MatrixEvent, type Room, RoomEvent } from 'matrix-js-sdk';
import { Homeserver } from './support/homeserver.js';
import { NODE_22 } from './support/node-22.js';
import { NEEDS, QUIET } from './support/sdk-device.js';
import { describeWithStores } from './support/stores.js';

describe.runIf(NODE_22)(NEEDS, () =>
  describeWithStores('two people with a client library', (stores) => {
    let server: Homeserver;
    let alice: MatrixClient;
    let bob: MatrixClient;

    beforeAll(async () => {
      server = await Homeserver.start(stores);
      alice = await clientOf('alice');
      bob = await clientOf('bob');
    });
    afterAll(async () => {
      alice?.stopClient();
      bob?.stopClient();
      await server.remove();
    });

    async function clientOf(username: string): Promise<MatrixClient> {
      await server.register(username, `secret of ${username}`);
      const anonymous = createClient({ baseUrl: server.base, logger: QUIET });
      const login = await anonymous.loginWithPassword(username, `secret of ${username}`);
      const client = createClient({
        baseUrl: server.base,
        logger: QUIET,
        userId: login.user_id,
        accessToken: login.access_token,
        deviceId: login.device_id,
      });
      await client.startClient({ initialSyncLimit: 20, pollTimeout: 10_000 });
      await new Promise<void>((resolve) => {
        client.on(ClientEvent.Sync, (state) => state === 'PREPARED' && resolve());
      });
      return client;
    }

    test('meet in a room and talk, live, both ways', async () => {
      const invited = once(bob, (room) => room.getMyMembership() === 'invite');
      const { room_id: roomId } = await alice.createRoom({ name: 'The usual place', invite: [bob.getSafeUserId()] });
      expect((await invited).roomId).toBe(roomId);

      await bob.joinRoom(roomId);
      const heardByBob = hears(bob, roomId, 'hello bob');
      await alice.sendTextMessage(roomId, 'hello bob');
      expect((await heardByBob).getSender()).toBe(alice.getUserId());

      const heardByAlice = hears(alice, roomId, 'hello alice');
      await bob.sendTextMessage(roomId, 'hello alice');
      expect((await heardByAlice).getSender()).toBe(bob.getUserId());

      const room = alice.getRoom(roomId);
      expect(room?.name).toBe('The usual place');
      expect(room?.getJoinedMembers().map(({ userId }) => userId)).toEqual(
        expect.arrayContaining([alice.getUserId(), bob.getUserId()]),
      );
    });

    test('scroll back through what was said', async () => {
      const { room_id: roomId } = await alice.createRoom({});
      // Before the library knows the room it orders its own echoes by itself.
      const room = await until(() => alice.getRoom(roomId));
      for (let i = 0; i < 40; i++) await alice.sendTextMessage(roomId, `line ${i}`);
      await hasLine(room, 'line 39');
      const timeline = room.getLiveTimeline();
      while (timeline.getPaginationToken('b' as never) !== null) {
        if (!(await alice.paginateEventTimeline(timeline, { backwards: true, limit: 15 }))) break;
      }
      const lines = timeline
        .getEvents()
        .flatMap((event) => (event.getType() === 'm.room.message' ? [event.getContent()['body']] : []));
      expect(lines).toEqual(Array.from({ length: 40 }, (_, i) => `line ${i}`));
    });
  }),
);

function once(client: MatrixClient, holds: (room: Room) => boolean): Promise<Room> {
  return new Promise((resolve) => {
    const look = (): void => {
      const room = client.getRooms().find(holds);
      if (room !== undefined) resolve(room);
    };
    client.on(ClientEvent.Room, look);
    client.on(RoomEvent.MyMembership, look);
    look();
  });
}

function hears(client: MatrixClient, roomId: string, body: string): Promise<MatrixEvent> {
  return new Promise((resolve) => {
    client.on(RoomEvent.Timeline, (event, room) => {
      if (room?.roomId === roomId && event.getContent()['body'] === body) resolve(event);
    });
  });
}

async function until<T>(find: () => T | null): Promise<T> {
  for (;;) {
    const found = find();
    if (found !== null) return found;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

async function hasLine(room: Room, body: string): Promise<void> {
  await until(
    () =>
      room
        .getLiveTimeline()
        .getEvents()
        .some((event) => event.getContent()['body'] === body) || null,
  );
}
