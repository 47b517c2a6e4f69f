import { expect, it } from 'vitest';
import type { EventId, RoomId, UserId } from '#kernel/ids';
import type { Views } from '#projections/views';
import type { MembershipTold } from '#rooms/facts/elsewhere-facts';
import { ELSEWHERE, elsewhereRowOf } from '#rooms/projections/elsewhere-rows';
import type { RecordedFact } from '#event-store/event-store';
import { MemoryReadModels } from '#testing/memory-read-models';
import { positionOf } from '#testing/position-of';
import { DescribeDigest } from './describe-digest.js';

const ALICE = '@alice:a.example' as UserId;
const ROOM = '!r:b.example' as RoomId;
const position = positionOf(7);
const member = (content: object, sender = '@bob:b.example') => ({
  type: 'm.room.member',
  sender,
  state_key: sender,
  content,
});

it('an invitation to a room that is not here is told by what another server said of it, one line of each name', async () => {
  const store = new MemoryReadModels();
  const describe = (clientUrl?: string) =>
    new DescribeDigest(
      store as unknown as Views,
      { serverName: 'a.example', digests: { afterMs: 1, isForNewUsers: false, clientUrl } } as never,
    ).describe(ALICE, [{ roomId: ROOM, firstAt: 0, newestAt: 0, upTo: position, positions: [], highlights: 0 }]);
  const invite = async (state: readonly object[]): Promise<void> => {
    const pdu = { ...member({ membership: 'invite' }), state_key: ALICE, origin_server_ts: 1, depth: 1 };
    const told = { event_id: '$e' as EventId, room_id: ROOM, room_version: '11', membership: 'invite', pdu, state };
    const row = elsewhereRowOf({ position } as RecordedFact, told as unknown as MembershipTold);
    const value = JSON.stringify(row);
    await store.write([{ collection: ELSEWHERE.name, key: [ALICE, ROOM, position], value }]);
  };
  expect(await describe()).toEqual([]);
  await invite([
    member({ membership: 'join', displayname: 'Bob\n\u202Eeve' }),
    { type: 'm.room.name', sender: '@bob:b.example', state_key: '', content: { name: `The ${'p'.repeat(100)}` } },
  ]);
  expect(await describe()).toEqual([
    {
      name: `The ${'p'.repeat(56)}…`,
      url: 'https://matrix.to/#/!r%3Ab.example?via=a.example',
      invitedBy: 'Bob eve',
      quotes: [],
      unread: 0,
      highlights: 0,
      isEncrypted: false,
    },
  ]);
  const winning = 'Win at https://evil.example';
  await invite([
    member({ membership: 'join', displayname: winning }),
    { type: 'm.room.name', sender: '@bob:b.example', state_key: '', content: { name: winning } },
    { type: 'm.room.canonical_alias', sender: '@bob:b.example', state_key: '', content: { alias: `#${winning}:b` } },
  ]);
  expect(await describe()).toMatchObject([{ name: '@bob:b.example', invitedBy: '@bob:b.example' }]);
  await invite([]);
  const bare = { name: '@bob:b.example', invitedBy: '@bob:b.example' };
  const [told] = await describe('https://app.example');
  expect(told).toMatchObject({ ...bare, url: 'https://app.example/#/room/!r%3Ab.example' });
});
