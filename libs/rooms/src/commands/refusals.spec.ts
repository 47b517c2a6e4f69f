import { beforeEach, describe, expect, it } from 'vitest';
import { CreateAlias } from '#directory/commands/create-alias';
import type { RoomAlias, RoomId, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { MatrixError } from '#kernel/matrix-error';
import { ALICE, BOB } from '#testing/local-room';
import { requesterOf, RoomCommands } from '#testing/room-commands';
import { JoinRoom } from './join-room.js';
import { SetRoomListed } from './set-room-listed.js';
import { UpgradeRoom } from './upgrade-room.js';

const CAROL = '@carol:a.example' as UserId;

let rooms: RoomCommands;

beforeEach(() => {
  rooms = new RoomCommands();
});

async function refused(command: Promise<unknown>, errcode = 'M_FORBIDDEN'): Promise<void> {
  await expect(command).rejects.toMatchObject({ errcode });
}

const answerOf = (command: Promise<unknown>): Promise<object> =>
  command.then(
    () => expect.unreachable('it was let in'),
    (error: unknown) => (error as MatrixError).toBody(),
  );

const joinSigned = (roomId: RoomId, third_party_signed: JsonObject): Promise<unknown> =>
  rooms.execute(new JoinRoom(requesterOf(BOB), roomId, { third_party_signed }));

describe('a stranger', () => {
  const commands: readonly (readonly [string, (roomId: RoomId) => Promise<unknown>])[] = [
    ['joins', (roomId) => rooms.join(BOB, roomId)],
    [
      'joins with what no event can hold',
      (roomId) => rooms.execute(new JoinRoom(requesterOf(BOB), roomId, { a: 0.5 })),
    ],
    ['joins as a guest', (roomId) => rooms.execute(new JoinRoom({ ...requesterOf(BOB), isGuest: true }, roomId))],
    ['joins by a mail that was for somebody else', (roomId) => joinSigned(roomId, { token: 'abc', mxid: CAROL })],
    ['leaves', (roomId) => rooms.leave(BOB, roomId)],
    ['knocks', (roomId) => rooms.knock(BOB, roomId)],
    ['invites', (roomId) => rooms.on(BOB, 'invite', roomId, CAROL)],
    ['kicks', (roomId) => rooms.on(BOB, 'kick', roomId, ALICE)],
    ['bans', (roomId) => rooms.on(BOB, 'ban', roomId, ALICE)],
    ['lifts a ban', (roomId) => rooms.on(BOB, 'unban', roomId, ALICE)],
    ['sends', (roomId) => rooms.send(BOB, roomId)],
    ['sends what no event can hold', (roomId) => rooms.send(BOB, roomId, { a: 0.5 })],
    ['sets state', (roomId) => rooms.setState(BOB, roomId, 'm.room.name', {})],
    ['sets an alias', (roomId) => rooms.setState(BOB, roomId, 'm.room.canonical_alias', { alias: '#x:a.example' })],
    ['sets unreadable state', (roomId) => rooms.setState(BOB, roomId, 'm.room.join_rules', { ciphertext: 'x' })],
    ['sets a membership', (roomId) => rooms.setState(BOB, roomId, 'm.room.member', { membership: 'join' }, BOB)],
    ['upgrades', (roomId) => rooms.execute(new UpgradeRoom(requesterOf(BOB), roomId, '11'))],
    ['lists', (roomId) => rooms.execute(new SetRoomListed(requesterOf(BOB), roomId, true))],
    [
      'gives an alias',
      (roomId) => rooms.execute(new CreateAlias(requesterOf(BOB), '#x:a.example' as RoomAlias, roomId)),
    ],
  ];

  it.each(commands)('who %s cannot tell a room that is closed from one that is not there', async (name, command) => {
    const closed = await rooms.createRoom(ALICE, {
      initial_state: [{ type: 'm.room.guest_access', content: { guest_access: 'forbidden' } }],
    });
    const answer = await answerOf(command(closed));
    // An upgrade says that there is no such room.
    expect(answer).toMatchObject({ errcode: name === 'upgrades' ? 'M_NOT_FOUND' : 'M_FORBIDDEN' });
    expect(await answerOf(command('!none:a.example' as RoomId))).toEqual(answer);
  });

  it('is told why, once the room has heard of them', async () => {
    const roomId = await rooms.open();
    await rooms.on(ALICE, 'ban', roomId, BOB);
    expect(await answerOf(rooms.join(BOB, roomId))).toMatchObject({ error: 'You are banned from this room' });
  });

  it('learns that a room is closed to guests only where others may enter', async () => {
    const roomId = await rooms.open();
    const join = rooms.execute(new JoinRoom({ ...requesterOf(BOB), isGuest: true }, roomId));
    await refused(join, 'M_GUEST_ACCESS_FORBIDDEN');
  });
});

describe('who was in a room', () => {
  const ways: readonly (readonly [string, (roomId: RoomId, target: UserId) => Promise<unknown>])[] = [
    ['kicks', (roomId, target) => rooms.on(BOB, 'kick', roomId, target)],
    ['lifts a ban', (roomId, target) => rooms.on(BOB, 'unban', roomId, target)],
    ['bans', (roomId, target) => rooms.on(BOB, 'ban', roomId, target)],
    ['invites', (roomId, target) => rooms.on(BOB, 'invite', roomId, target)],
    ['sets a membership', (roomId, target) => rooms.setState(BOB, roomId, 'm.room.member', { membership: 'leave' }, target)], // prettier-ignore
  ];

  it.each(ways)('and %s learns nothing of what others have become since', async (_, act) => {
    const roomId = await rooms.open();
    await rooms.join(BOB, roomId);
    await rooms.leave(BOB, roomId);
    await rooms.join(CAROL, roomId);
    const answers = [];
    for (const change of [undefined, 'kick', 'ban'] as const) {
      if (change !== undefined) await rooms.on(ALICE, change, roomId, CAROL);
      answers.push(await answerOf(act(roomId, CAROL)));
    }
    answers.push(await answerOf(act(roomId, '@never:a.example' as UserId)));
    expect(answers).toEqual(answers.map(() => ({ errcode: 'M_FORBIDDEN', error: 'You are not in this room' })));
  });
});

describe('memberships set as state', () => {
  const set = (user: UserId, roomId: RoomId, membership: string, key: string): Promise<unknown> =>
    rooms.setState(user, roomId, 'm.room.member', { membership }, key);

  it('are of users', async () => {
    const roomId = await rooms.open();
    const { length } = rooms.log.facts;
    for (const key of ['', 'nobody', '@nobody', 'bob:a.example', `@${'x'.repeat(250)}:a.example`]) {
      for (const membership of ['leave', 'ban', 'invite'])
        await refused(set(ALICE, roomId, membership, key), 'M_INVALID_PARAM');
    }
    expect(rooms.log.facts).toHaveLength(length);
  });

  it('end the stay of who is there, or the ban of who is banned', async () => {
    const roomId = await rooms.open();
    await refused(set(ALICE, roomId, 'leave', BOB));
    await rooms.join(BOB, roomId);
    await set(ALICE, roomId, 'leave', BOB);
    await refused(rooms.setState(ALICE, roomId, 'm.room.member', { membership: 'leave', reason: 'again' }, BOB));
    await set(ALICE, roomId, 'ban', BOB);
    await set(ALICE, roomId, 'leave', BOB);
    expect(await rooms.membership(roomId, BOB)).toBe('leave');
  });

  it('are refused with 400 where nobody can read them', async () => {
    const roomId = await rooms.open();
    for (const content of [{}, { membership: 1 }, { membership: 'lurk' }, { membership: 'join', displayname: 5 }]) {
      await refused(rooms.setState(ALICE, roomId, 'm.room.member', content, ALICE), 'M_BAD_JSON');
    }
    await refused(rooms.execute(new JoinRoom(requesterOf(BOB), roomId, { avatar_url: {} })), 'M_BAD_JSON');
    expect(await rooms.membership(roomId, BOB)).toBeUndefined();
  });
});

it('a redaction sent as state is refused: others would take it for one that took effect', async () => {
  const roomId = await rooms.open();
  const { length } = rooms.log.facts;
  await refused(rooms.setState(ALICE, roomId, 'm.room.redaction', { redacts: '$event' }), 'M_INVALID_PARAM');
  expect(rooms.log.facts).toHaveLength(length);
});

describe('what has been done already', () => {
  it('is answered once more only to who may still do it', async () => {
    const roomId = await rooms.open();
    await rooms.join(BOB, roomId);
    await rooms.setState(ALICE, roomId, 'm.room.power_levels', { users: { [ALICE]: 100, [BOB]: 50 }, invite: 0 });
    await rooms.on(BOB, 'invite', roomId, CAROL);
    const topic = await rooms.setState(BOB, roomId, 'm.room.topic', { topic: 'mine' });
    expect(await rooms.setState(BOB, roomId, 'm.room.topic', { topic: 'mine' })).toBe(topic);
    await rooms.leave(BOB, roomId);
    const again = async (): Promise<void> => {
      await refused(rooms.setState(BOB, roomId, 'm.room.topic', { topic: 'mine' }));
      await refused(rooms.setState(BOB, roomId, 'm.room.member', { membership: 'leave' }, BOB));
      await refused(rooms.on(BOB, 'invite', roomId, CAROL));
    };
    await again();
    await rooms.on(ALICE, 'ban', roomId, BOB);
    await again();
  });
});
