import { expect, it } from 'vitest';
import type { RoomId } from '#kernel/ids';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import { BOB } from '#testing/local-room';
import { readStrippedState } from './read-stripped-state.js';

it('what another server tells of a room names nobody else as who invited the user', () => {
  const member = (sender: string, stateKey: string) => ({
    type: 'm.room.member',
    state_key: stateKey,
    sender,
    content: { membership: 'invite' },
  });
  const told = [member('@friend:c.example', BOB), member('@eve:b.example', '@eve:b.example')];
  const room = { roomId: '!room:b.example' as RoomId, version: findRoomVersion('11')! };
  expect(readStrippedState(told, room, BOB)).toEqual([told[1]]);
});
