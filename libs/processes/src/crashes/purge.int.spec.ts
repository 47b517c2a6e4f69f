import { expect, it } from 'vitest';
import { RoomPurges } from '#admin/purges/room-purges';
import type { RoomId } from '#kernel/ids';
import { OWN_ROOMS } from '#rooms/projections/deserted-rooms.projector';
import { endAtEachStep } from '#testing/end-at-each-step';
import { roomPath } from '#testing/sync-app';

const MINUTES = 10 * 60_000;

it(
  'a process that ends while a room is purged leaves all of the room, or nothing once the next has begun',
  async () => {
    await endAtEachStep({
      async prepare(app) {
        const alice = await app.register('alice');
        const roomId = (await alice.createRoom({
          preset: 'public_chat',
          room_alias_name: 'pub',
          name: 'The pub',
        })) as RoomId;
        await alice.ok('PUT', `${roomPath(roomId)}/send/m.room.message/1`, { msgtype: 'm.text', body: 'remarkable' });
        await alice.ok('POST', `${roomPath(roomId)}/leave`, {});
        return { alice, roomId };
      },
      act: (app, { roomId }) => app.get(RoomPurges).order({ room_id: roomId, because: 'operator' }, 'server'),
      async check(app, { alice, roomId }, answer) {
        const { purges } = await app.get(RoomPurges).load();
        const wasOrdered = purges.size > 0;
        expect(wasOrdered).toBe(wasOrdered || answer !== undefined);
        for (const { ended } of purges.values()) expect(ended?.refused).toBeUndefined();
        expect([...purges.values()].every(({ ended }) => ended !== undefined)).toBe(true);
        expect(await OWN_ROOMS.has(app.views, [roomId])).toBe(!wasOrdered);
        const user = alice.on(app);
        const { status } = await user.call('GET', `${roomPath(roomId)}/state`);
        expect(status).toBe(wasOrdered ? 403 : 200);
        const left: string[] = [];
        for await (const { type } of app.store.readStream(`room-${roomId}`)) left.push(type);
        if (wasOrdered) expect(left).toEqual(['room-purged']);
        const again = await user.call('POST', '/_matrix/client/v3/createRoom', { room_alias_name: 'pub' });
        expect(again.status).toBe(wasOrdered ? 200 : 400);
      },
    });
  },
  MINUTES,
);
