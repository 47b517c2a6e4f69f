import { describe, expect, it } from 'vitest';
import { endAtEachStep } from '#testing/end-at-each-step';
import { roomPath, type SyncApp, type SyncUser } from '#testing/sync-app';

const aliasPath = (name: string): string => `/directory/room/${encodeURIComponent(`#${name}:a.example`)}`;
const listed = async (user: SyncUser): Promise<string[]> =>
  ((await user.ok('GET', '/publicRooms')).chunk as { room_id: string }[]).map(({ room_id: roomId }) => roomId);
const stateOf = async (user: SyncUser, roomId: string, type: string): Promise<unknown> =>
  (await user.call('GET', `${roomPath(roomId)}/state/${type}`)).body;

describe('a process that ends while a room is upgraded', () => {
  it('leaves the room as it was, or the next one moves all that belongs to it; and asked again there is one replacement', async () => {
    const steps = await endAtEachStep({
      async prepare(app: SyncApp) {
        const alice = await app.register('alice');
        const options = { preset: 'public_chat', visibility: 'public', room_alias_name: 'lobby', room_version: '11' };
        const roomId = await alice.createRoom(options);
        await alice.ok('PUT', aliasPath('other'), { room_id: roomId });
        await alice.ok('PUT', `/user/${alice.userId}${roomPath(roomId)}/tags/u.kept`, { order: 0.5 });
        return { alice, roomId };
      },
      act: async (app, { alice, roomId }) =>
        (await alice.on(app).ok('POST', `${roomPath(roomId)}/upgrade`, { new_version: '12' })).replacement_room,
      async check(app, before, answer: string | undefined) {
        const [alice, { roomId }] = [before.alice.on(app), before];
        const upgrade = () => alice.ok('POST', `${roomPath(roomId)}/upgrade`, { new_version: '12' });
        const tombstone = (await stateOf(alice, roomId, 'm.room.tombstone')) as { replacement_room?: string };
        if (tombstone.replacement_room === undefined) {
          expect(answer).toBeUndefined();
          expect((await alice.ok('GET', aliasPath('lobby'))).room_id).toBe(roomId);
          expect(await listed(alice)).toEqual([roomId]);
          await alice.send(roomId, 'it is still in use');
        }
        const { replacement_room: to } = await upgrade();
        expect(to).toBe(answer ?? tombstone.replacement_room ?? to);
        expect(await stateOf(alice, roomId, 'm.room.tombstone')).toMatchObject({ replacement_room: to });
        for (const name of ['lobby', 'other']) expect((await alice.ok('GET', aliasPath(name))).room_id).toBe(to);
        expect(await stateOf(alice, to, 'm.room.canonical_alias')).toEqual({ alias: '#lobby:a.example' });
        expect(await stateOf(alice, roomId, 'm.room.canonical_alias')).toEqual({});
        expect(await listed(alice)).toEqual([to]);
        expect(await stateOf(alice, roomId, 'm.room.power_levels')).toMatchObject({ events_default: 50, invite: 50 });
        const { tags } = await alice.ok('GET', `/user/${alice.userId}${roomPath(to)}/tags`);
        expect(tags).toEqual({ 'u.kept': { order: 0.5 } });
        const { chunk } = await alice.ok('GET', `${roomPath(roomId)}/messages?dir=b&limit=100`);
        const types = (chunk as { type: string }[]).map(({ type }) => type);
        for (const [type, times] of [
          ['m.room.tombstone', 1],
          ['m.room.canonical_alias', 2],
          ['m.room.power_levels', 2],
        ] as const) {
          expect([type, types.filter((each) => each === type).length]).toEqual([type, times]);
        }
      },
    });
    expect(steps).toBeGreaterThan(10);
  }, 600_000);
});
