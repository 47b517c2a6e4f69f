import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RoomId, UserId } from '#kernel/ids';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import { TEST_AUTHOR } from '#testing/local-room';
import { ForeignServer } from '#testing/receiving/foreign-server';
import { type DraftOn, makeOn } from '#testing/receiving/make-on';
import { keysKnownTo, MemoryRoom } from '#testing/receiving/memory-room';
import { Receiver, tellAccepted } from '#testing/receiving/receiver';
import { HeldInvitations } from '#rooms/commands/held-invitations';
import { heldStream } from '#rooms/facts/held-invitation-facts';
import { InvitePermissions } from '#rooms/commands/invite-permissions';
import { SlidingClient } from '#testing/sliding-client';
import { roomPath, SyncApp, type SyncUser } from '#testing/sync-app';

/** Client-server API, "Invite permission"; MSC4155; 2015, "Presence": as a signal, and groups that are invited at once. */

let app: SyncApp;
beforeAll(async () => void (app = await SyncApp.start(undefined, { ANNALS_PRESENCE: 'on' })));
afterAll(() => app.close());

let names = 0;
const someone = (): Promise<SyncUser> => app.register(`invited${names++}`);
const configure = (who: SyncUser, content: object, type = 'm.invite_permission_config'): Promise<unknown> =>
  who.ok('PUT', `/user/${who.userId}/account_data/${type}`, content);
const LISTS = 'org.matrix.msc4155.invite_permission_config';
const SIGNALS = 'dev.annals.one_to_one_invites';

type Invite = (by: SyncUser, whom: SyncUser, isDirect?: boolean) => Promise<{ status: number; errcode?: string }>;
const answered = async (answer: ReturnType<SyncUser['call']>): Promise<{ status: number; errcode?: string }> => {
  const { status, body } = await answer;
  return { status, errcode: body.errcode };
};
const WAYS: Readonly<Record<string, Invite>> = {
  invite: async (by, whom) =>
    answered(by.call('POST', `${roomPath(await by.createRoom())}/invite`, { user_id: whom.userId })),
  'a member event': async (by, whom, isDirect) =>
    answered(
      by.call('PUT', `${roomPath(await by.createRoom())}/state/m.room.member/${whom.userId}`, {
        membership: 'invite',
        ...(isDirect === true ? { is_direct: true } : {}),
      }),
    ),
  createRoom: (by, whom, isDirect) =>
    answered(by.call('POST', '/createRoom', { invite: [whom.userId], is_direct: isDirect === true })),
  'invite of 2015': async (by, whom) =>
    answered(by.v1('POST', `${roomPath(await by.createRoom())}/invite`, { user_id: whom.userId })),
  'createRoom of 2015': (by, whom) =>
    answered(by.v1('POST', '/createRoom', { visibility: 'private', invite: [whom.userId] })),
  'a member event of 2015': async (by, whom) =>
    answered(
      by.v1('PUT', `${roomPath(await by.createRoom())}/state/m.room.member/${whom.userId}`, { membership: 'invite' }),
    ),
};

describe('who wants no invitations', () => {
  it.each(Object.entries(WAYS))('is invited by nobody: by %s', async (_, invite) => {
    const [alice, bob] = [await someone(), await someone()];
    await configure(bob, { default_action: 'block' });
    expect(await invite(alice, bob)).toEqual({ status: 403, errcode: 'M_INVITE_BLOCKED' });
    await configure(bob, {});
    expect((await invite(alice, bob)).status).toBe(200);
    await configure(bob, { default_action: 'maybe' });
    expect((await invite(alice, bob)).status).toBe(200);
  });

  it('begins no room by being invited into it, and hears nothing of invitations that there are', async () => {
    const [alice, bob] = [await someone(), await someone()];
    const roomId = await alice.createRoom({ invite: [bob.userId] });
    await app.settled();
    const shown = async (): Promise<boolean[]> => {
      const sliding = new SlidingClient(bob);
      const body = { lists: { all: { ranges: [[0, 9]], required_state: [], timeline_limit: 1 } } };
      const { rooms } = await bob.sync();
      return [
        roomId in (rooms?.invite ?? {}),
        JSON.stringify((await bob.v1('GET', '/initialSync')).body.rooms).includes(roomId),
        roomId in ((await sliding.next(body)).rooms ?? {}),
      ];
    };
    expect(await shown()).toEqual([true, true, true]);
    await configure(bob, { default_action: 'block' });
    expect(await shown()).toEqual([false, false, false]);
    expect((await alice.ok('GET', `${roomPath(roomId)}/members`)).chunk).toHaveLength(2);
    const before = (await alice.ok('GET', '/joined_rooms')).joined_rooms.length;
    expect((await alice.call('POST', '/createRoom', { invite: [bob.userId] })).body.errcode).toBe('M_INVITE_BLOCKED');
    expect((await alice.ok('GET', '/joined_rooms')).joined_rooms).toHaveLength(before);
    await configure(bob, {});
    expect(await shown()).toEqual([true, true, true]);
  });

  it('may say of whom: the first list that names them decides, users before servers', async () => {
    const [alice, bob, carol] = [await someone(), await someone(), await someone()];
    const errcodeOf = async (by: SyncUser): Promise<string | undefined> => (await WAYS['createRoom']!(by, bob)).errcode;
    const lists = { allowed_users: [carol.userId], blocked_servers: ['?.example', 7], ignored_users: 'all' };
    await configure(bob, lists, LISTS);
    expect([await errcodeOf(alice), await errcodeOf(carol)]).toEqual(['M_INVITE_BLOCKED', undefined]);
    await configure(bob, { ...lists, enabled: false }, LISTS);
    expect(await errcodeOf(alice)).toBeUndefined();
    const { next_batch: since } = await bob.sync();
    await configure(bob, { ignored_users: ['@invited*'], blocked_users: ['*'] }, LISTS);
    const roomId = await alice.createRoom({ invite: [bob.userId] });
    await app.settled();
    expect((await bob.sync({ since })).rooms?.invite?.[roomId]).toBeUndefined();
    await configure(bob, {}, LISTS);
    expect((await bob.sync()).rooms.invite[roomId]).toBeDefined();
  });
});

describe('presence as a signal', () => {
  const chooses = (who: SyncUser, presence: string): Promise<unknown> =>
    who.v1('PUT', `/presence/${who.userId}/status`, { presence });
  const asks = async (by: SyncUser, whom: SyncUser, isDirect = true): Promise<boolean> =>
    (await WAYS['createRoom']!(by, whom, isDirect)).errcode !== 'M_INVITE_BLOCKED';

  const heldOf = async (who: SyncUser): Promise<string[]> => {
    const held = await app.get(HeldInvitations).list(who.userId as UserId);
    return [...held.values()].map(({ sender }) => sender);
  };

  it('says who may ask for a one-to-one chat: everybody, those on the list, a group, nobody', async () => {
    const [bob, stranger, friend, important] = [await someone(), await someone(), await someone(), await someone()];
    const content = { free_for_chat: 'everybody', online: 'list', busy: { groups: ['important'] }, hidden: 'nobody' };
    await configure(bob, content, SIGNALS);
    const groups = { [important.userId]: ['important'] };
    await bob.v1('POST', '/presence/list', { invite: [friend.userId, important.userId], groups });
    const may = async (): Promise<boolean[]> => Promise.all([stranger, friend, important].map((who) => asks(who, bob)));
    expect(await may()).toEqual([false, true, true]);
    await chooses(bob, 'free_for_chat');
    expect(await may()).toEqual([true, true, true]);
    await chooses(bob, 'busy');
    expect(await may()).toEqual([false, false, true]);
    await chooses(bob, 'hidden');
    expect(await may()).toEqual([false, false, false]);
    expect(await asks(stranger, bob, false)).toBe(true);
    await chooses(bob, 'do_not_disturb');
    expect(await may()).toEqual([true, true, true]);
  });

  const eves = new ForeignServer('b.example', 2);
  const eve = eves.user('eve');
  const inviting = (who: SyncUser) => ({
    type: 'm.room.member',
    stateKey: who.userId,
    content: { membership: 'invite', is_direct: true },
  });
  /** A room that is here, and what tells this server of events of Eve's in it: she has joined. */
  async function roomWithEve(owner: SyncUser) {
    const roomId = (await owner.createRoom({ preset: 'public_chat', room_version: '11' })) as RoomId;
    const keys = keysKnownTo(TEST_AUTHOR, eves);
    const there = new MemoryRoom(roomId, findRoomVersion('11')!, keys);
    await tellAccepted(app, roomId, there);
    const receiver = new Receiver(app, roomId, eves.name, keys);
    const makes = (draft: Omit<DraftOn, 'ts'>) => makeOn(there, eves, { ts: Date.now(), ...draft });
    const tells = async (draft: Omit<DraftOn, 'ts' | 'sender'>): Promise<void> => {
      const { text } = await makes({ sender: eve, ...draft });
      await there.receive(text);
      await receiver.pdus(text);
      await app.settled();
    };
    await tells({ type: 'm.room.member', stateKey: eve, content: { membership: 'join' } });
    return { roomId, receiver, makes, tells };
  }

  it('holds what came as an event of a room that is here, of which nobody was asked', async () => {
    const [alice, bob] = [await someone(), await someone()];
    await configure(bob, { online: 'nobody', busy: 'everybody' }, SIGNALS);
    const { roomId, receiver, makes, tells } = await roomWithEve(alice);
    await tells(inviting(bob));
    expect(await heldOf(bob)).toEqual([eve]);
    expect((await bob.sync()).rooms?.invite?.[roomId]).toBeUndefined();
    // What the room does not take is not held, and shows nothing that is.
    const forged = await makes({ sender: eves.user('mallory'), ...inviting(bob) });
    expect(await receiver.pdus(forged.text)).toMatchObject({ received: [{ kind: 'rejected' }] });
    await app.settled();
    expect(await heldOf(bob)).toEqual([eve]);
    expect((await bob.sync()).rooms?.invite?.[roomId]).toBeUndefined();
    await chooses(bob, 'busy');
    await expect.poll(() => heldOf(bob)).toEqual([]);
    expect((await bob.sync()).rooms.invite[roomId]).toBeDefined();
  });

  it('holds what is not accepted where it is told to: not shown until it is, also after a restart, and then by itself', async () => {
    const [bob, stranger] = [await someone(), await someone()];
    const content = { busy: 'nobody', online: 'everybody', otherwise: 'hold' };
    await configure(bob, content, SIGNALS);
    await chooses(bob, 'busy');
    const since = (await bob.sync()).next_batch;
    const { room_id: roomId } = await stranger.ok('POST', '/createRoom', { invite: [bob.userId], is_direct: true });
    const other = await stranger.createRoom({ invite: [bob.userId] });
    await app.settled();
    const invitations = async (token?: string): Promise<string[]> => {
      const { rooms } = await bob.sync(token === undefined ? {} : { since: token });
      return Object.keys(rooms?.invite ?? {});
    };
    const body = { lists: { all: { ranges: [[0, 9]], required_state: [], timeline_limit: 1 } } };
    const sliding = async (): Promise<string[]> => Object.keys((await new SlidingClient(bob).next(body)).rooms ?? {});
    expect([await invitations(since), await invitations(), await sliding()]).toEqual([[other], [other], [other]]);
    expect(JSON.stringify((await bob.v1('GET', '/initialSync')).body.rooms)).not.toContain(roomId);
    await app.restart();
    const { next_batch: held } = await bob.sync();
    expect(await invitations()).toEqual([other]);
    await chooses(bob, 'online');
    // That they are online is news too, and may come first.
    let [token, told]: [string, string[]] = [held, []];
    for (let n = 0; n < 5 && told.length === 0; n++) {
      const { rooms, next_batch: next } = await bob.sync({ since: token, timeout: 5_000 });
      [token, told] = [next, Object.keys(rooms?.invite ?? {})];
    }
    expect(told).toEqual([roomId]);
    expect(await invitations(token)).toEqual([]);
    expect((await invitations()).toSorted()).toEqual([roomId, other].toSorted());
    expect((await sliding()).toSorted()).toEqual([roomId, other].toSorted());
    await bob.join(roomId);
  });

  it('says nothing to who may not invite them, and nothing is held that is not sent', async () => {
    const [bob, carol, stranger] = [await someone(), await someone(), await someone()];
    const elsewhere = await carol.createRoom();
    const member = async (roomId: string, whom: SyncUser): ReturnType<Invite> =>
      answered(
        stranger.call('PUT', `${roomPath(roomId)}/state/m.room.member/${whom.userId}`, {
          membership: 'invite',
          is_direct: true,
        }),
      );
    for (const otherwise of ['refuse', 'hold']) {
      await configure(bob, { online: 'nobody', otherwise }, SIGNALS);
      for (const roomId of [elsewhere, elsewhere.replace('!', '!not')]) {
        const answer = await member(roomId, bob);
        expect(answer).toEqual(await member(roomId, carol));
        expect(answer.errcode).not.toBe('M_INVITE_BLOCKED');
      }
      const body = { invite: [bob.userId], is_direct: true, initial_state: [{ type: 'm.room.power_levels', content: { users: 7 } }] }; // prettier-ignore
      expect((await stranger.call('POST', '/createRoom', body)).status).not.toBe(200);
    }
    expect(await heldOf(bob)).toEqual([]);
    await WAYS['a member event']!(stranger, bob, true);
    expect(await heldOf(bob)).toEqual([stranger.userId]);
  });

  it('refuses what there is no more room to hold, and shows none of what is held for it', async () => {
    const [bob, stranger] = [await someone(), await someone()];
    await configure(bob, { online: 'nobody', otherwise: 'hold' }, SIGNALS);
    const held = app.get(HeldInvitations);
    for (let n = 0; n < 200; n++) {
      await held.hold(bob.userId as UserId, `!held${n}:a.example` as RoomId, stranger.userId as UserId, {
        actor: 'test',
      });
    }
    for (const way of ['a member event', 'createRoom']) {
      expect(await WAYS[way]!(stranger, bob, true)).toEqual({ status: 403, errcode: 'M_INVITE_BLOCKED' });
    }
    expect(await heldOf(bob)).toHaveLength(200);
  });

  it('holds what a room has taken also where there is no place left: nobody can refuse it any more', async () => {
    const [alice, bob] = [await someone(), await someone()];
    const { roomId, tells } = await roomWithEve(alice);
    await configure(bob, { online: 'nobody', busy: 'everybody' }, SIGNALS);
    const [held, bobId] = [app.get(HeldInvitations), bob.userId as UserId];
    for (let n = 0; n < 200; n++) await held.hold(bobId, `!full${n}:x` as RoomId, '@a:x' as UserId, { actor: 'test' });
    await tells(inviting(bob));
    expect(await heldOf(bob)).toContain(eve);
    expect((await bob.sync()).rooms?.invite?.[roomId]).toBeUndefined();
    await chooses(bob, 'busy');
    await expect.poll(() => heldOf(bob)).toEqual([]);
    await expect.poll(async () => (await bob.sync()).rooms?.invite?.[roomId]).toBeDefined();
  });

  it('has one place for a room, however many invite to it, and shows none of the first for the last', async () => {
    const bob = await someone();
    await configure(bob, { online: 'nobody', otherwise: 'hold' }, SIGNALS);
    const [held, bobId] = [app.get(HeldInvitations), bob.userId as UserId];
    for (let n = 0; n < 199; n++) await held.hold(bobId, `!r${n}:x` as RoomId, '@a:x' as UserId, { actor: 'test' });
    for (let n = 0; n < 30; n++) await held.hold(bobId, '!r0:x' as RoomId, `@b${n}:x` as UserId, { actor: 'test' });
    const toRoom = [...(await held.list(bobId)).values()].filter((one) => one.room_id === '!r0:x');
    const senders = ['@a:x', ...Array.from({ length: 14 }, (_, n) => `@b${n}:x`), '@b29:x'];
    expect(toRoom.map(({ sender }) => sender)).toEqual(senders);
    expect(await held.isFull(bobId)).toBe(false);
    await held.hold(bobId, '!last:x' as RoomId, '@a:x' as UserId, { actor: 'test' });
    expect(await held.isFull(bobId)).toBe(true);
  });

  it('does not let a sender show what is held of them by sending it again in another form', async () => {
    const [bob, stranger] = [await someone(), await someone()];
    await configure(bob, { online: 'nobody', otherwise: 'hold' }, SIGNALS);
    const { room_id: roomId } = await stranger.ok('POST', '/createRoom', { invite: [bob.userId], is_direct: true });
    await stranger.ok('POST', `${roomPath(roomId)}/invite`, { user_id: bob.userId });
    await app.settled();
    expect(await heldOf(bob)).toEqual([stranger.userId]);
    expect((await bob.sync()).rooms?.invite?.[roomId]).toBeUndefined();
  });

  it('shows nothing that is held by what somebody else sends to the same room', async () => {
    const [bob, stranger, other] = [await someone(), await someone(), await someone()];
    await configure(bob, { online: 'nobody', otherwise: 'hold' }, SIGNALS);
    const { room_id: roomId } = await stranger.ok('POST', '/createRoom', { invite: [bob.userId], is_direct: true });
    // Held, and never sent: as what another server signs and no room takes.
    await app.get(InvitePermissions).hold(roomId, other.userId as UserId, bob.userId as UserId);
    await app.settled();
    expect(await heldOf(bob)).toEqual([stranger.userId, other.userId]);
    expect((await bob.sync()).rooms?.invite?.[roomId]).toBeUndefined();
    await configure(bob, {}, SIGNALS);
    await expect.poll(() => heldOf(bob)).toEqual([]);
    expect((await bob.sync()).rooms.invite[roomId]).toBeDefined();
  });

  it('lets nothing be held for good that was to be shown by the time it was held', async () => {
    const [bob, stranger] = [await someone(), await someone()];
    const roomId = '!there:a.example' as RoomId;
    // Nothing that changes comes behind this: it says already that everybody may invite them.
    await app.get(InvitePermissions).hold(roomId, stranger.userId as UserId, bob.userId as UserId);
    expect(await heldOf(bob)).toEqual([]);
  });

  it('holds nothing any more once the account is closed', async () => {
    const [bob, stranger] = [await someone(), await someone()];
    await configure(bob, { online: 'nobody', otherwise: 'hold' }, SIGNALS);
    for (let n = 0; n < 2; n++) await WAYS['a member event']!(stranger, bob, true);
    expect(await heldOf(bob)).toHaveLength(2);
    await bob.close();
    await expect.poll(() => heldOf(bob)).toEqual([]);
    const kept = async () => (await app.factsOf(heldStream(bob.userId as UserId))).map(({ type }) => type);
    // What was goes from the log right after.
    await expect.poll(kept).toEqual(['invitation-released']);
  });

  it('of no form says nothing', async () => {
    const [bob, stranger] = [await someone(), await someone()];
    for (const online of [7, 'some', { groups: 'all' }, null]) {
      await configure(bob, { online }, SIGNALS);
      expect(await asks(stranger, bob)).toBe(true);
    }
  });
});

describe('a group of a presence list', () => {
  it('is invited to a new room at once, but for who does not want that', async () => {
    const [alice, bob, carol, dave] = [await someone(), await someone(), await someone(), await someone()];
    const groups = { [bob.userId]: ['work'], [carol.userId]: ['work'], [dave.userId]: ['family'] };
    await alice.v1('POST', '/presence/list', { invite: [bob, carol, dave].map(({ userId }) => userId), groups });
    await configure(carol, { default_action: 'block' });
    const membersIn = async (roomId: string): Promise<string[]> =>
      (await alice.ok('GET', `${roomPath(roomId)}/members`)).chunk.map(
        ({ state_key }: { state_key: string }) => state_key,
      );
    const roomId = await alice.createRoom({ 'dev.annals.invite_groups': ['work'] });
    expect((await membersIn(roomId)).toSorted()).toEqual([alice.userId, bob.userId].toSorted());
    const body = { 'dev.annals.invite_groups': ['work', 'family'], invite: [bob.userId] };
    const { room_id: other } = (await alice.v1('POST', '/createRoom', body)).body;
    expect(await membersIn(other)).toHaveLength(3);
    const none = await alice.call('POST', '/createRoom', { 'dev.annals.invite_groups': ['nobody'] });
    expect([none.status, none.body.errcode]).toEqual([400, 'M_INVALID_PARAM']);
  });
});
