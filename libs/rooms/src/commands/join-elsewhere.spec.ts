import { beforeEach, describe, expect, it } from 'vitest';
import type { RoomId, ServerName } from '#kernel/ids';
import { ALICE, BOB } from '#testing/local-room';
import { requesterOf, RoomCommands } from '#testing/room-commands';
import type { RemoteRooms } from '../remote-rooms.js';
import type { SpacesElsewhere } from '../spaces-elsewhere.js';
import { JoinElsewhere } from './join-elsewhere.js';
import { MembershipsElsewhere } from './memberships-elsewhere.js';

const OTHER = 'b.example' as ServerName;
const GUEST = { ...requesterOf(BOB), isGuest: true };

describe('a guest who joins a room through another server', () => {
  let rooms: RoomCommands;
  let roomId: RoomId;
  beforeEach(async () => {
    rooms = new RoomCommands();
    roomId = await rooms.open();
  });

  const opens = () => rooms.setState(ALICE, roomId, 'm.room.guest_access', { guest_access: 'can_join' });
  /** A server that describes the room, and lets in whoever asks. */
  function joinBy(described: object | undefined): JoinElsewhere {
    const find = async () => described && { described: { room_id: roomId, ...described } };
    const others = { join: () => rooms.join(BOB, roomId).then(() => ({ position: undefined })) };
    return new JoinElsewhere(
      rooms.workers,
      new MembershipsElsewhere(rooms.views.today, { now: () => 1 }, rooms.views),
      rooms.views,
      others as unknown as RemoteRooms,
      { find } as unknown as SpacesElsewhere,
    );
  }
  const joins = (described: object | undefined) => joinBy(described).join(GUEST, roomId, {}, [OTHER]);
  const closed = { errcode: 'M_GUEST_ACCESS_FORBIDDEN' };

  it('is let in where that welcomes guests', async () => {
    await opens();
    expect(await joins({ guest_can_join: true })).toEqual({ position: undefined });
    expect(await rooms.membership(roomId, BOB)).toBe('join');
  });

  it('is not where it says that it does not, or says nothing of the room', async () => {
    await opens();
    await expect(joins({ guest_can_join: false })).rejects.toMatchObject(closed);
    expect(await joins(undefined)).toBeUndefined();
    expect(await rooms.membership(roomId, BOB)).toBeUndefined();
  });

  it('learns nothing of a room that they may not enter', async () => {
    expect(await joins({ guest_can_join: false, join_rule: 'invite' })).toBeUndefined();
  });

  it('leaves again where the room does not welcome guests after all', async () => {
    await expect(joins({ guest_can_join: true })).rejects.toMatchObject(closed);
    expect(await rooms.membership(roomId, BOB)).toBe('leave');
  });
});
