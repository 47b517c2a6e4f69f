import { describe, expect, it } from 'vitest';
import type { RoomId, UserId } from '#kernel/ids';
import { identityOfDevice, liveKitIdentityOf, liveKitRoomOf } from './livekit-names.js';

const ALICE = '@alice:example.com' as UserId;

describe('the names of LiveKit', () => {
  // MSC4195, "Hash derivation test vectors"; lk-jwt-service tests with the same room.
  it('are those of the proposal', () => {
    expect(liveKitRoomOf('!roomid:example.com' as RoomId, 'slot1234')).toBe(
      'O8437W3+jmzMVjoIP3tNwbm+XxHQk2iKpOA7aqw3qSc',
    );
    expect(liveKitIdentityOf({ userId: ALICE, memberId: 'memberABC' })).toBe(
      'M3VnsLXrkbxIDINXO64u8PZzFyD9ZYFiQULR2dshWYs',
    );
  });

  // matrix-js-sdk 43 and lk-jwt-service test with these three.
  it('have the device in them for clients that name it', () => {
    expect(liveKitIdentityOf({ userId: ALICE, deviceId: 'DEVICE123', memberId: 'memberABC' })).toBe(
      'J+T45tGruxc+HrUOqJJlyQSV33m728Cme4+vt8/SWrU',
    );
    expect(identityOfDevice(ALICE, 'DEVICE123')).toBe('@alice:example.com:DEVICE123');
  });

  it('keep apart what only looks the same side by side', () => {
    expect(liveKitRoomOf('!a' as RoomId, 'b"c')).not.toBe(liveKitRoomOf('!a"b' as RoomId, 'c'));
    expect(liveKitIdentityOf({ userId: ALICE, memberId: 'a,b' })).not.toBe(
      liveKitIdentityOf({ userId: ALICE, deviceId: 'a', memberId: 'b' }),
    );
  });
});
