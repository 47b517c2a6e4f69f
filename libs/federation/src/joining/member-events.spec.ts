import { describe, expect, it } from 'vitest';
import type { RoomId, ServerName, UserId } from '#kernel/ids';
import { PeerUnavailable } from '#kernel/peer-errors';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import { completeMember } from './member-events.js';

const OURS = 'ours.example' as ServerName;
const USER = '@bob:ours.example' as UserId;
const ROOM = '!room:there.example' as RoomId;
const V11 = findRoomVersion('11')!;
const WANTED = { userId: USER, roomId: ROOM, content: { membership: 'join', displayname: 'Bob' } };
const TEMPLATE = {
  type: 'm.room.member',
  room_id: ROOM,
  sender: USER,
  state_key: USER,
  content: { membership: 'join' },
  depth: 7,
  prev_events: ['$prev'],
  auth_events: ['$auth'],
};

describe('the member event that another server makes for a user here', () => {
  it('gets its place from that server and all else from this one', () => {
    const told = { ...TEMPLATE, origin: 'there.example', origin_server_ts: 1, redacts: '$x', unsigned: { a: 1 } };
    expect(completeMember(told, WANTED, V11, OURS, 5)).toEqual({
      ...TEMPLATE,
      content: WANTED.content,
      origin: OURS,
      origin_server_ts: 5,
    });
  });

  it.each([
    ['of another type', { type: 'm.room.power_levels' }],
    ['of another user', { sender: '@eve:ours.example', state_key: '@eve:ours.example' }],
    ['on somebody else', { state_key: '@eve:ours.example' }],
    ['in another room', { room_id: '!other:there.example' }],
    ['with another membership', { content: { membership: 'leave' } }],
    ['without content', { content: undefined }],
  ])('is not signed where it is one %s', (_, other) => {
    expect(() => completeMember({ ...TEMPLATE, ...other }, WANTED, V11, OURS, 5)).toThrow(PeerUnavailable);
  });

  it('says who of another server vouches for it', () => {
    const content = { membership: 'join', join_authorised_via_users_server: '@alice:there.example', more: 1 };
    expect(completeMember({ ...TEMPLATE, content }, WANTED, V11, OURS, 5)['content']).toEqual({
      ...WANTED.content,
      join_authorised_via_users_server: '@alice:there.example',
    });
  });

  it('says of nobody that they vouch for it because the user says so', () => {
    const content = { ...WANTED.content, join_authorised_via_users_server: '@admin:ours.example' };
    const made = completeMember(TEMPLATE, { ...WANTED, content }, V11, OURS, 5);
    expect(made['content']).toEqual(WANTED.content);
  });

  it('is not signed where somebody of this server is to vouch for it, for whom the signature would do', () => {
    const content = { membership: 'join', join_authorised_via_users_server: '@admin:ours.example' };
    expect(() => completeMember({ ...TEMPLATE, content }, WANTED, V11, OURS, 5)).toThrow(PeerUnavailable);
    const odd = { membership: 'join', join_authorised_via_users_server: 7 };
    expect(() => completeMember({ ...TEMPLATE, content: odd }, WANTED, V11, OURS, 5)).toThrow(PeerUnavailable);
  });
});
