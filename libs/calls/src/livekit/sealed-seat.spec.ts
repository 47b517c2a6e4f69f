import { describe, expect, it } from 'vitest';
import type { DeviceId, RoomId, UserId } from '#kernel/ids';
import { openSeat, sealSeat } from './sealed-seat.js';

const OWNER = { userId: '@alice:a.example' as UserId, roomId: '!room:a.example' as RoomId };

describe('whose a place in a call is', () => {
  it('is read by who has the secret, and says nothing to others', () => {
    const [one, other] = [sealSeat(OWNER, 'secret'), sealSeat(OWNER, 'secret')];
    expect(openSeat(one, 'secret')).toEqual(OWNER);
    expect(one).not.toBe(other);
    const onPhone = { ...OWNER, deviceId: 'PHONE' as DeviceId };
    expect(openSeat(sealSeat(onPhone, 'secret'), 'secret')).toEqual(onPhone);
    expect(Buffer.from(one, 'base64url').toString('latin1')).not.toContain('alice');
    expect(openSeat(one, 'other')).toBeUndefined();
  });

  it.each(['', 'x', 'metadata of somebody else, which is long enough to be read as such', '{"a":1}'])(
    'is not read out of anything else: %j',
    (text) => {
      expect(openSeat(text, 'secret')).toBeUndefined();
    },
  );

  it('is not read where it was changed', () => {
    const sealed = Buffer.from(sealSeat(OWNER, 'secret'), 'base64url');
    sealed[sealed.length - 1]! ^= 1;
    expect(openSeat(sealed.toString('base64url'), 'secret')).toBeUndefined();
  });
});
