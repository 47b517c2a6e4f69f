import { describe, expect, it } from 'vitest';
import { endAtEachStep } from '#testing/end-at-each-step';
import { roomPath, type SyncApp, type SyncUser } from '#testing/sync-app';

const MINUTES = 10 * 60_000;
const LOBBY = `/directory/room/${encodeURIComponent('#lobby:a.example')}`;
const joinedRooms = async (user: SyncUser): Promise<string[]> =>
  (await user.ok('GET', '/joined_rooms')).joined_rooms as string[];
const members = async (user: SyncUser, roomId: string): Promise<string[]> =>
  Object.keys((await user.ok('GET', `${roomPath(roomId)}/joined_members`)).joined);
const timesOf = async (user: SyncUser, roomId: string, type: string): Promise<number> => {
  const { chunk } = await user.ok('GET', `${roomPath(roomId)}/messages?dir=b&limit=100`);
  return (chunk as { type: string }[]).filter((event) => event.type === type).length;
};

describe('a process that ends', () => {
  it(
    'while a room with an alias and invitations begins leaves all of it or nothing, and the alias to whoever asks next',
    async () => {
      const steps = await endAtEachStep({
        async prepare(app: SyncApp) {
          return { alice: await app.register('alice'), bob: await app.register('bob') };
        },
        act: (app, { alice, bob }) =>
          alice.on(app).createRoom({ room_alias_name: 'lobby', visibility: 'public', invite: [bob.userId] }),
        async check(app, before, answer: string | undefined) {
          const [alice, bob] = [before.alice.on(app), before.bob.on(app)];
          const [begun] = await joinedRooms(alice);
          if (answer !== undefined) expect(begun).toBe(answer);
          const found = await alice.call('GET', LOBBY);
          expect(found).toMatchObject(begun === undefined ? { status: 404 } : { body: { room_id: begun } });
          const again = await alice.call('POST', '/createRoom', { room_alias_name: 'lobby', invite: [bob.userId] });
          if (begun !== undefined) expect(again).toMatchObject({ status: 400, body: { errcode: 'M_ROOM_IN_USE' } });
          const roomId = begun ?? again.body.room_id;
          expect(await joinedRooms(alice)).toEqual([roomId]);
          expect((await alice.ok('GET', LOBBY)).room_id).toBe(roomId);
          expect(await alice.ok('GET', `${roomPath(roomId)}/state/m.room.canonical_alias`)).toMatchObject({
            alias: '#lobby:a.example',
          });
          expect(Object.keys((await bob.sync()).rooms.invite)).toEqual([roomId]);
          if (begun !== undefined) expect((await alice.ok('GET', '/publicRooms')).chunk).toHaveLength(1);
        },
      });
      expect(steps).toBeGreaterThan(3);
    },
    MINUTES,
  );

  it(
    'while an alias is deleted leaves it, or the next one takes it out of the canonical alias once',
    async () => {
      const steps = await endAtEachStep({
        async prepare(app: SyncApp) {
          const alice = await app.register('alice');
          return { alice, roomId: await alice.createRoom({ room_alias_name: 'lobby' }) };
        },
        act: (app, { alice }) => alice.on(app).ok('DELETE', LOBBY),
        async check(app, before, answer) {
          const alice = before.alice.on(app);
          const { status } = await alice.call('GET', LOBBY);
          if (answer !== undefined) expect(status).toBe(404);
          expect((await alice.call('DELETE', LOBBY)).status).toBe(status);
          expect(await alice.ok('GET', `${roomPath(before.roomId)}/state/m.room.canonical_alias`)).toEqual({});
          expect(await timesOf(alice, before.roomId, 'm.room.canonical_alias')).toBe(2);
        },
      });
      expect(steps).toBeGreaterThan(4);
    },
    MINUTES,
  );

  it(
    'while a room is closed to guests lets each of them leave once',
    async () => {
      await endAtEachStep({
        async prepare(app: SyncApp) {
          const alice = await app.register('alice');
          const roomId = await alice.createRoom({ preset: 'public_chat' });
          await alice.setState(roomId, 'm.room.guest_access', { guest_access: 'can_join' });
          for (let i = 0; i < 2; i++) {
            const { body } = await app.call('POST', '/_matrix/client/v3/register?kind=guest', undefined, {});
            await app.call('POST', `/_matrix/client/v3${roomPath(roomId)}/join`, body.access_token, {});
          }
          expect(await members(alice, roomId)).toHaveLength(3);
          return { alice, roomId };
        },
        act: (app, { alice, roomId }) =>
          alice.on(app).setState(roomId, 'm.room.guest_access', { guest_access: 'forbidden' }),
        async check(app, before, answer) {
          const alice = before.alice.on(app);
          const eventId = await alice.setState(before.roomId, 'm.room.guest_access', { guest_access: 'forbidden' });
          if (answer !== undefined) expect(eventId).toBe(answer);
          expect(await members(alice, before.roomId)).toEqual([alice.userId]);
          expect(await timesOf(alice, before.roomId, 'm.room.member')).toBe(5);
        },
      });
    },
    MINUTES,
  );

  it(
    'while somebody enters a restricted room and talks keeps what it acknowledged, and answers the same again',
    async () => {
      await endAtEachStep({
        async prepare(app: SyncApp) {
          const [alice, bob] = [await app.register('alice'), await app.register('bob')];
          const space = await alice.createRoom({ preset: 'public_chat' });
          await bob.join(space);
          const allow = [{ type: 'm.room_membership', room_id: space }];
          const rule = { type: 'm.room.join_rules', content: { join_rule: 'restricted', allow } };
          return { alice, bob, roomId: await alice.createRoom({ initial_state: [rule] }) };
        },
        async act(app, { bob, roomId }) {
          await bob.on(app).join(roomId);
          return (await bob.on(app).ok('PUT', `${roomPath(roomId)}/send/m.room.message/t`, { body: 'hi' })).event_id;
        },
        async check(app, before, answer: string | undefined) {
          const [alice, bob, { roomId }] = [before.alice.on(app), before.bob.on(app), before];
          await bob.join(roomId);
          const path = `${roomPath(roomId)}/send/m.room.message`;
          const { event_id: sent } = await bob.ok('PUT', `${path}/t`, { body: 'hi' });
          if (answer !== undefined) expect(sent).toBe(answer);
          expect((await bob.ok('PUT', `${path}/u`, { body: 'hi' })).event_id).not.toBe(sent);
          expect(await timesOf(alice, roomId, 'm.room.message')).toBe(2);
          expect(await timesOf(alice, roomId, 'm.room.member')).toBe(2);
        },
      });
    },
    MINUTES,
  );

  it(
    'while a room is left and forgotten, or put into the directory, keeps what it acknowledged',
    async () => {
      await endAtEachStep({
        async prepare(app: SyncApp) {
          const [alice, bob] = [await app.register('alice'), await app.register('bob')];
          const roomId = await alice.createRoom({ preset: 'public_chat' });
          await bob.join(roomId);
          return { alice, bob, roomId };
        },
        async act(app, { alice, bob, roomId }) {
          const done: string[] = [];
          await alice.on(app).ok('PUT', `/directory/list/room/${encodeURIComponent(roomId)}`, { visibility: 'public' });
          done.push('listed');
          await bob.on(app).leave(roomId);
          done.push('left');
          await bob.on(app).ok('POST', `${roomPath(roomId)}/forget`, {});
          return [...done, 'forgotten'];
        },
        async check(app, before, answer) {
          const [alice, bob, { roomId }] = [before.alice.on(app), before.bob.on(app), before];
          if (answer !== undefined) {
            expect(await joinedRooms(bob)).toEqual([]);
            expect((await alice.ok('GET', '/publicRooms')).chunk).toHaveLength(1);
          }
          await alice.ok('PUT', `/directory/list/room/${encodeURIComponent(roomId)}`, { visibility: 'public' });
          await bob.leave(roomId);
          for (let i = 0; i < 2; i++) await bob.ok('POST', `${roomPath(roomId)}/forget`, {});
          expect((await alice.ok('GET', '/publicRooms')).chunk).toHaveLength(1);
          expect(await timesOf(alice, roomId, 'm.room.member')).toBe(3);
          expect((await bob.sync({ filter: { room: { include_leave: true } } })).rooms?.leave ?? {}).toEqual({});
        },
      });
    },
    MINUTES,
  );
});
