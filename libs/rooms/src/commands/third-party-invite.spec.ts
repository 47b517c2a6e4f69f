import { beforeEach, describe, expect, it } from 'vitest';
import type { RoomId, ServerName, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { encodeBase64 } from '#protocol/signing/base64';
import { signJson } from '#protocol/signing/sign-json';
import { createSigningKey } from '#protocol/signing/signing-key';
import { ALICE, BOB } from '#testing/local-room';
import { requesterOf, RoomCommands } from '#testing/room-commands';
import { ExchangeInvite } from './exchange-invite.js';
import { JoinRoom } from './join-room.js';
import { KickUser } from './kick-user.js';

const CAROL = '@carol:a.example' as UserId;
const key = createSigningKey(Buffer.alloc(32, 1), '0');
const otherKey = createSigningKey(Buffer.alloc(32, 2), '0');

let rooms: RoomCommands;
let roomId: RoomId;

beforeEach(async () => {
  rooms = new RoomCommands();
  roomId = await rooms.createRoom(ALICE);
  const offer = {
    display_name: 'B...',
    key_validity_url: 'https://id.example/',
    public_key: encodeBase64(key.publicKey),
  };
  await rooms.setState(ALICE, roomId, 'm.room.third_party_invite', offer, 'abc');
});

const signedFor = (mxid: UserId, token = 'abc', by = key): JsonObject =>
  signJson({ mxid, sender: ALICE, token }, 'id.example', by);

const join = (user: UserId, third_party_signed: unknown): Promise<unknown> =>
  rooms.execute(new JoinRoom(requesterOf(user), roomId, { third_party_signed } as JsonObject));

it('lets in whom the identity server knows as the one who was invited', async () => {
  const signed = signedFor(BOB);
  await join(BOB, signed);
  expect(await rooms.state(roomId, 'm.room.member', BOB)).toEqual({ membership: 'join' });
  expect(rooms.events(roomId).at(-2)).toMatchObject({
    sender: ALICE,
    state_key: BOB,
    content: { membership: 'invite', third_party_invite: { display_name: 'B...', signed } },
  });
});

it('lets nobody in by what was signed for others, by others or for another invite, and then sends nothing', async () => {
  const { length } = rooms.events(roomId);
  for (const signed of [signedFor(CAROL), signedFor(BOB, 'abc', otherKey), signedFor(BOB, 'abd'), { token: 'abc' }]) {
    await expect(join(BOB, signed)).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' });
  }
  for (const signed of ['text', {}, { token: 1 }]) {
    await expect(join(BOB, signed)).rejects.toMatchObject({ errcode: 'M_BAD_JSON' });
  }
  expect(rooms.events(roomId)).toHaveLength(length);
});

it('lets nobody in by an invite that was taken back', async () => {
  await rooms.setState(ALICE, roomId, 'm.room.third_party_invite', {}, 'abc');
  await expect(join(BOB, signedFor(BOB))).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' });
  await rooms.setState(ALICE, roomId, 'm.room.member', { membership: 'invite' }, BOB);
  await join(BOB, null);
});

it('lets nobody in again by what let them in before they were put out, and who left by themselves it does', async () => {
  const signed = signedFor(BOB);
  await join(BOB, signed);
  await rooms.leave(BOB, roomId);
  await join(BOB, signed);
  await rooms.execute(new KickUser(requesterOf(ALICE), roomId, BOB));
  await expect(join(BOB, signed)).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' });
  const exchange = new ExchangeInvite('a.example' as ServerName, roomId, BOB, { token: 'abc', signed });
  await expect(rooms.execute(exchange)).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' });
  const later = {
    display_name: 'B...',
    key_validity_url: 'https://id.example/',
    public_key: encodeBase64(key.publicKey),
  };
  await rooms.setState(ALICE, roomId, 'm.room.third_party_invite', later, 'later');
  await join(BOB, signedFor(BOB, 'later'));
});

describe('somebody who is in the room', () => {
  const invitation = (user: UserId): JsonObject => ({
    membership: 'invite',
    third_party_invite: { display_name: 'B...', signed: signedFor(user) },
  });

  beforeEach(() => join(BOB, signedFor(BOB)));

  it('is not put out by being invited so, though the rules would have it', async () => {
    const { length } = rooms.events(roomId);
    await expect(rooms.setState(ALICE, roomId, 'm.room.member', invitation(BOB), BOB)).rejects.toMatchObject({
      errcode: 'M_FORBIDDEN',
    });
    await expect(rooms.setState(ALICE, roomId, 'm.room.member', invitation(ALICE), ALICE)).rejects.toMatchObject({
      errcode: 'M_FORBIDDEN',
    });
    expect(rooms.events(roomId)).toHaveLength(length);
    await rooms.setState(ALICE, roomId, 'm.room.member', invitation(CAROL), CAROL);
    expect(await rooms.membership(roomId, CAROL)).toBe('invite');
  });

  it('invites nobody so once they have left', async () => {
    await rooms.leave(ALICE, roomId);
    await expect(rooms.setState(ALICE, roomId, 'm.room.member', invitation(CAROL), CAROL)).rejects.toMatchObject({
      errcode: 'M_FORBIDDEN',
    });
    expect(await rooms.membership(roomId, CAROL)).toBeUndefined();
  });
});

it('stands where who asked for it has left since, if somebody of their server is in the room', async () => {
  await rooms.setState(ALICE, roomId, 'm.room.member', { membership: 'invite' }, CAROL);
  await rooms.join(CAROL, roomId);
  await rooms.leave(ALICE, roomId);
  const signed = signedFor(BOB);
  await rooms.execute(new ExchangeInvite('a.example' as ServerName, roomId, BOB, { token: 'abc', signed }));
  expect(await rooms.membership(roomId, BOB)).toBe('invite');
  await rooms.join(BOB, roomId);
});

it('is not asked for by another server than that of the user', async () => {
  const exchange = (origin: string, user: UserId): Promise<unknown> =>
    rooms.execute(new ExchangeInvite(origin as ServerName, roomId, user, { token: 'abc', signed: signedFor(user) }));
  const { length } = rooms.events(roomId);
  for (const user of [BOB, '@dave:c.example' as UserId]) {
    await expect(exchange('b.example', user)).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' });
  }
  expect(rooms.events(roomId)).toHaveLength(length);
});
