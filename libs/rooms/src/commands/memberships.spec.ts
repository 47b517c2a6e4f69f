import { beforeEach, describe, expect, it } from 'vitest';
import type { RoomId, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { ROOM_VERSIONS } from '#protocol/room-versions/room-versions';
import { ALICE, BOB } from '#testing/local-room';
import { requesterOf, RoomCommands } from '#testing/room-commands';
import { PolicyAway } from '../policy-away.js';
import { allowAll, type Policy } from '../room-policy.js';
import { AnnounceProfile } from './announce-profile.js';
import { ForgetRoom } from './forget-room.js';
import { JoinRoom } from './join-room.js';

const CAROL = '@carol:a.example' as UserId;
const STRANGER = '@x:elsewhere.example' as UserId;

let rooms: RoomCommands;

beforeEach(() => {
  rooms = new RoomCommands();
});

const forget = (user: UserId, roomId: RoomId): Promise<void> =>
  rooms.execute(new ForgetRoom(requesterOf(user), roomId));

async function refused(command: Promise<unknown>, errcode = 'M_FORBIDDEN'): Promise<void> {
  await expect(command).rejects.toMatchObject({ errcode });
}

describe('who is invited', () => {
  it('joins, or declines and is then no longer asked', async () => {
    const roomId = await rooms.createRoom(ALICE);
    await refused(rooms.join(BOB, roomId));
    await rooms.on(ALICE, 'invite', roomId, BOB, 'come in');
    expect(await rooms.state(roomId, 'm.room.member', BOB)).toEqual({ membership: 'invite', reason: 'come in' });
    await rooms.leave(BOB, roomId);
    await refused(rooms.join(BOB, roomId));
    await rooms.on(ALICE, 'invite', roomId, BOB);
    await rooms.join(BOB, roomId);
    expect(await rooms.membership(roomId, BOB)).toBe('join');
  });

  it('is nobody who is in the room or banned, oneself, or a user this server cannot tell', async () => {
    const roomId = await rooms.open();
    await rooms.join(BOB, roomId);
    for (const target of [ALICE, BOB, STRANGER]) await refused(rooms.on(ALICE, 'invite', roomId, target));
    await rooms.on(ALICE, 'ban', roomId, BOB);
    await refused(rooms.on(ALICE, 'invite', roomId, BOB));
    await refused(rooms.on(CAROL, 'invite', roomId, CAROL));
    await refused(rooms.setState(ALICE, roomId, 'm.room.member', { membership: 'invite' }, STRANGER));
  });

  it('is asked once by the same words', async () => {
    const roomId = await rooms.createRoom(ALICE);
    await rooms.on(ALICE, 'invite', roomId, BOB);
    const { length } = rooms.events(roomId);
    await rooms.on(ALICE, 'invite', roomId, BOB);
    expect(rooms.events(roomId)).toHaveLength(length);
  });
});

describe('who joins', () => {
  it('joins once, whatever is said the second time', async () => {
    const roomId = await rooms.open();
    await rooms.join(BOB, roomId);
    const { length } = rooms.events(roomId);
    await rooms.execute(new JoinRoom(requesterOf(BOB), roomId, { reason: 'again' }));
    expect(rooms.events(roomId)).toHaveLength(length);
  });

  it('shows the profile of now', async () => {
    const roomId = await rooms.open();
    await rooms.views.store.write([
      { collection: 'profiles', key: [BOB], value: '{"displayname":"Bob","avatar_url":1}' },
    ]);
    await rooms.join(BOB, roomId);
    expect(await rooms.state(roomId, 'm.room.member', BOB)).toEqual({ membership: 'join', displayname: 'Bob' });
  });
});

describe('who leaves', () => {
  it('may leave again, also after having been removed', async () => {
    const roomId = await rooms.open();
    await rooms.join(BOB, roomId);
    await rooms.leave(BOB, roomId, 'tired');
    const { length } = rooms.events(roomId);
    await rooms.leave(BOB, roomId, 'really');
    expect(rooms.events(roomId)).toHaveLength(length);
    await rooms.join(BOB, roomId);
    await rooms.on(ALICE, 'kick', roomId, BOB);
    await rooms.leave(BOB, roomId);
    expect(await rooms.state(roomId, 'm.room.member', BOB)).toEqual({ membership: 'leave' });
  });

  it('was in the room, and does not undo a ban by leaving', async () => {
    const roomId = await rooms.open();
    await refused(rooms.leave(BOB, roomId));
    await rooms.on(ALICE, 'ban', roomId, BOB);
    await refused(rooms.leave(BOB, roomId));
    expect(await rooms.membership(roomId, BOB)).toBe('ban');
  });

  it('comes back by the rules of the room', async () => {
    const roomId = await rooms.open();
    await rooms.join(BOB, roomId);
    await rooms.setState(ALICE, roomId, 'm.room.join_rules', { join_rule: 'invite' });
    await rooms.leave(BOB, roomId);
    await refused(rooms.join(BOB, roomId));
  });
});

describe('who is removed', () => {
  it('is in the room or asked to be, and below the one who removes', async () => {
    const roomId = await rooms.open();
    await refused(rooms.on(ALICE, 'kick', roomId, BOB));
    await rooms.join(BOB, roomId);
    await rooms.join(CAROL, roomId);
    await refused(rooms.on(BOB, 'kick', roomId, CAROL));
    await refused(rooms.on(BOB, 'kick', roomId, ALICE));
    await rooms.on(ALICE, 'kick', roomId, BOB, 'rude');
    expect(await rooms.state(roomId, 'm.room.member', BOB)).toEqual({ membership: 'leave', reason: 'rude' });
    await refused(rooms.on(ALICE, 'kick', roomId, BOB));
    await rooms.on(ALICE, 'invite', roomId, BOB);
    await rooms.on(ALICE, 'kick', roomId, BOB);
    expect(await rooms.membership(roomId, BOB)).toBe('leave');
  });

  it('comes back unless banned, and after a ban is lifted', async () => {
    const roomId = await rooms.open();
    await rooms.join(BOB, roomId);
    await rooms.join(CAROL, roomId);
    await rooms.on(ALICE, 'ban', roomId, BOB, 'spam');
    await refused(rooms.join(BOB, roomId));
    await refused(rooms.on(ALICE, 'kick', roomId, BOB));
    await refused(rooms.on(CAROL, 'unban', roomId, BOB));
    await rooms.on(ALICE, 'unban', roomId, BOB);
    expect(await rooms.membership(roomId, BOB)).toBe('leave');
    await refused(rooms.on(ALICE, 'unban', roomId, BOB));
    await rooms.join(BOB, roomId);
  });

  it('may be banned before ever having been in the room', async () => {
    const roomId = await rooms.open();
    await rooms.on(ALICE, 'ban', roomId, BOB);
    await refused(rooms.join(BOB, roomId));
  });
});

describe('who forgets a room', () => {
  it('has left it or was banned, and is told of it again after coming back', async () => {
    const roomId = await rooms.open();
    await rooms.join(BOB, roomId);
    await expect(forget(BOB, roomId)).rejects.toMatchObject({ errcode: 'M_UNKNOWN', status: 400 });
    await rooms.leave(BOB, roomId);
    await forget(BOB, roomId);
    await forget(BOB, roomId);
    const place = async (): Promise<unknown> =>
      JSON.parse((await rooms.views.get('user-rooms', [BOB, roomId])) ?? '{}') as unknown;
    expect(await place()).toMatchObject({ membership: 'leave', forgotten: true });
    expect(rooms.log.facts.filter(({ type }) => type === 'room-forgotten')).toHaveLength(1);
    await rooms.join(BOB, roomId);
    expect(await place()).not.toHaveProperty('forgotten');
    await rooms.on(ALICE, 'ban', roomId, BOB);
    await forget(BOB, roomId);
    expect(await place()).toMatchObject({ membership: 'ban', forgotten: true });
  });

  it('may never have heard of it, but not be invited to it', async () => {
    const roomId = await rooms.createRoom(ALICE, { invite: [BOB] });
    await forget(CAROL, roomId);
    await refused(forget(BOB, roomId), 'M_UNKNOWN');
  });
});

describe('who knocks', () => {
  it('waits for an invitation, and may take the knock back', async () => {
    const roomId = await rooms.createRoom(ALICE);
    await refused(rooms.knock(BOB, roomId));
    await rooms.setState(ALICE, roomId, 'm.room.join_rules', { join_rule: 'knock' });
    await rooms.knock(BOB, roomId);
    await refused(rooms.join(BOB, roomId));
    await rooms.leave(BOB, roomId);
    await rooms.knock(BOB, roomId);
    await rooms.on(ALICE, 'invite', roomId, BOB);
    await refused(rooms.knock(BOB, roomId));
    await rooms.join(BOB, roomId);
    await refused(rooms.knock(BOB, roomId));
  });

  it('knocks at rooms of version 7 and later only', async () => {
    for (const { id, knocking } of ROOM_VERSIONS) {
      const roomId = await rooms.createRoom(ALICE, { room_version: id });
      await rooms.setState(ALICE, roomId, 'm.room.join_rules', { join_rule: 'knock' });
      const outcome = await rooms.knock(BOB, roomId).then(
        () => true,
        () => false,
      );
      expect([id, outcome]).toEqual([id, knocking]);
    }
  });
});

describe('a restricted room', () => {
  let space: RoomId;

  beforeEach(async () => {
    space = await rooms.open();
  });

  async function restricted(options: object = {}, rule = 'restricted'): Promise<RoomId> {
    const odd = { type: 'm.room_membership', room_id: { toString: 1 } };
    const allow = [{ type: 'm.odd' }, 'nonsense', odd, { type: 'm.room_membership', room_id: space }];
    const initial_state = [{ type: 'm.room.join_rules', content: { join_rule: rule, allow } }];
    return rooms.createRoom(ALICE, { initial_state, ...options });
  }

  const vouching = async (roomId: RoomId): Promise<unknown> =>
    (await rooms.state(roomId, 'm.room.member', BOB))?.['join_authorised_via_users_server'];

  it.each(['8', '9', '10', '11', '12'])('of version %s lets in who is in the other room', async (version) => {
    const roomId = await restricted({ room_version: version });
    await refused(rooms.join(BOB, roomId));
    await rooms.join(BOB, space);
    await rooms.join(BOB, roomId);
    expect(await vouching(roomId)).toBe(ALICE);
  });

  it('of a version that knows no such rule lets nobody in', async () => {
    const roomId = await restricted({ room_version: '7' });
    await rooms.join(BOB, space);
    await refused(rooms.join(BOB, roomId));
  });

  it('takes knocks too where its rule says so', async () => {
    const roomId = await restricted({}, 'knock_restricted');
    await rooms.knock(BOB, roomId);
    await rooms.join(BOB, space);
    await rooms.join(BOB, roomId);
    await refused(rooms.join(CAROL, roomId));
    const old = await restricted({ room_version: '9' }, 'knock_restricted');
    await refused(rooms.join(BOB, old));
  });

  it('lets in who is invited, with nobody vouching', async () => {
    const roomId = await restricted({ invite: [BOB] });
    await rooms.join(BOB, roomId);
    expect(await vouching(roomId)).toBeUndefined();
  });

  it('believes nobody who names the one to vouch', async () => {
    const roomId = await restricted();
    const content: JsonObject = { membership: 'join', join_authorised_via_users_server: ALICE };
    await refused(rooms.execute(new JoinRoom(requesterOf(BOB), roomId, content)));
    await refused(rooms.setState(BOB, roomId, 'm.room.member', content, BOB));
    await rooms.join(BOB, space);
    await rooms.setState(BOB, roomId, 'm.room.member', { membership: 'join' }, BOB);
    expect(await vouching(roomId)).toBe(ALICE);
    await rooms.setState(BOB, roomId, 'm.room.member', { ...content, displayname: 'Bob' }, BOB);
    expect(await vouching(roomId)).toBeUndefined();
  });

  it.each([
    ['7', true],
    ['8', false],
    ['11', false],
    ['12', false],
  ])('of version %s takes no membership that another server would have to sign: %s', async (version, isTaken) => {
    const roomId = await restricted({ room_version: version, invite: [BOB] });
    for (const [membership, authoriser] of [
      ['invite', '@x:elsewhere.example'],
      ['leave', 'nobody'],
      ['ban', 5],
    ] as const) {
      const content: JsonObject = { membership, join_authorised_via_users_server: authoriser };
      const set = rooms.setState(ALICE, roomId, 'm.room.member', content, BOB);
      if (isTaken) await set;
      else await refused(set);
    }
  });

  it('has another creator vouch where the first is gone', async () => {
    const creation_content = { additional_creators: [CAROL] };
    const power_level_content_override = { invite: 50 };
    const roomId = await restricted({
      room_version: '12',
      creation_content,
      power_level_content_override,
      invite: [CAROL],
    });
    await rooms.join(CAROL, roomId);
    await rooms.leave(ALICE, roomId);
    await rooms.join(BOB, space);
    await rooms.join(BOB, roomId);
    expect(await vouching(roomId)).toBe(CAROL);
  });

  it('has any member vouch who may invite, and none who may not', async () => {
    const mute = '@amute:a.example' as UserId; // first of all members in the order of ids
    const users = { [ALICE]: 100, [mute]: -1 };
    const roomId = await restricted({
      room_version: '11',
      power_level_content_override: { users },
      invite: [mute, CAROL],
    });
    await rooms.join(mute, roomId);
    await rooms.join(CAROL, roomId);
    await rooms.leave(ALICE, roomId);
    await rooms.join(BOB, space);
    await rooms.join(BOB, roomId);
    expect(await vouching(roomId)).toBe(CAROL);
  });

  it('stays closed where nobody is left who may invite', async () => {
    const roomId = await restricted({
      room_version: '11',
      power_level_content_override: { invite: 50 },
      invite: [CAROL],
    });
    await rooms.join(CAROL, roomId);
    await rooms.leave(ALICE, roomId);
    await rooms.join(BOB, space);
    await refused(rooms.join(BOB, roomId));
  });
});

describe('a changed profile', () => {
  it('is told to a room that the user entered while it changed, but for what they said of themself there', async () => {
    const [plain, masked] = [await rooms.open(), await rooms.open()];
    const rename = (name: string): Promise<void> =>
      rooms.views.store.write([{ collection: 'profiles', key: [BOB], value: JSON.stringify({ displayname: name }) }]);
    await rename('Old');
    // The new name comes to the views between the reading of the profile and the end of the join.
    rooms.views.beforeProcessed = () => rename('New');
    await rooms.execute(new JoinRoom(requesterOf(BOB), plain, { reason: 'why' }));
    await rename('Old');
    await rooms.execute(new JoinRoom(requesterOf(BOB), masked, { displayname: 'Mask' }));
    rooms.views.beforeProcessed = undefined;
    expect(await rooms.state(plain, 'm.room.member', BOB)).toEqual({
      membership: 'join',
      displayname: 'New',
      reason: 'why',
    });
    expect(await rooms.state(masked, 'm.room.member', BOB)).toEqual({ membership: 'join', displayname: 'Mask' });
  });

  it('is told to the rooms the user is in, and keeps what else the member events say', async () => {
    const [here, left] = [await rooms.open(), await rooms.open()];
    await rooms.execute(new JoinRoom(requesterOf(BOB), here, { reason: 'why', 'm.odd': 1 }));
    await rooms.join(BOB, left);
    await rooms.leave(BOB, left);
    await rooms.views.store.write([{ collection: 'profiles', key: [BOB], value: '{"displayname":"Robert"}' }]);
    expect(await rooms.execute(new AnnounceProfile(requesterOf(BOB), 'displayname'))).toBe(true);
    const content = { membership: 'join', displayname: 'Robert', reason: 'why', 'm.odd': 1 };
    expect(await rooms.state(here, 'm.room.member', BOB)).toEqual(content);
    expect(await rooms.membership(left, BOB)).toBe('leave');
    const { length } = rooms.events(here);
    expect(await rooms.execute(new AnnounceProfile(requesterOf(BOB), 'displayname'))).toBe(false);
    expect(rooms.events(here)).toHaveLength(length);
  });

  it('is told by what has changed of it alone: who is called something else in a room is so still', async () => {
    const roomId = await rooms.open();
    await rooms.execute(new JoinRoom(requesterOf(BOB), roomId, { displayname: 'Mask', avatar_url: 'mxc://test/mask' }));
    const tell = async (profile: JsonObject, key: 'displayname' | 'avatar_url'): Promise<unknown> => {
      await rooms.views.store.write([{ collection: 'profiles', key: [BOB], value: JSON.stringify(profile) }]);
      await rooms.execute(new AnnounceProfile(requesterOf(BOB), key));
      return rooms.state(roomId, 'm.room.member', BOB);
    };
    const both = { displayname: 'Robert', avatar_url: 'mxc://test/new' };
    const masked = { membership: 'join', displayname: 'Mask', avatar_url: 'mxc://test/new' };
    expect(await tell(both, 'avatar_url')).toEqual(masked);
    expect(await tell({ displayname: 'Robert' }, 'avatar_url')).toEqual({ membership: 'join', displayname: 'Mask' });
    expect(await tell(both, 'displayname')).toEqual({ membership: 'join', displayname: 'Robert' });
  });

  it('is told to all rooms but one that does not take it for the moment, which is tried again', async () => {
    let away: RoomId | undefined;
    const policy: Policy = ({ roomId }) => (roomId === away ? Promise.reject(new PolicyAway()) : allowAll());
    rooms = new RoomCommands(undefined, undefined, undefined, policy);
    const [here, there] = [await rooms.open(), await rooms.open()];
    for (const room of [here, there]) await rooms.join(BOB, room);
    await rooms.views.store.write([{ collection: 'profiles', key: [BOB], value: '{"displayname":"Robert"}' }]);
    const nameIn = async (room: RoomId) => (await rooms.state(room, 'm.room.member', BOB))?.['displayname'];
    away = there;
    await expect(rooms.execute(new AnnounceProfile(requesterOf(BOB), 'displayname'))).rejects.toThrow(PolicyAway);
    expect([await nameIn(here), await nameIn(there)]).toEqual(['Robert', undefined]);
    away = undefined;
    expect(await rooms.execute(new AnnounceProfile(requesterOf(BOB), 'displayname'))).toBe(true);
    expect(await nameIn(there)).toBe('Robert');
  });
});
