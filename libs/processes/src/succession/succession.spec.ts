import { describe, expect, it } from 'vitest';
import type { RecordedFact } from '#event-store/event-store';
import type { RoomId, ServerName } from '#kernel/ids';
import { recordFacts } from '#testing/project';
import { directRoomsWith, localJoinOf, replacementOf } from './succession.js';

const [from, to] = ['!old:example.org' as RoomId, '!new:example.org' as RoomId];
const server = 'example.org' as ServerName;
const alice = '@alice:example.org';

function memberFact(userId: string, membership = 'join'): RecordedFact {
  const pdu = { type: 'm.room.member', state_key: userId, sender: userId, content: { membership } };
  return recordFacts([
    {
      stream: `room-${to}`,
      type: 'pdu-accepted',
      data: { event_id: '$join', state: [{ type: 'm.room.member', state_key: userId, event_id: '$join' }], pdu },
    },
  ])[0]!;
}

describe('what follows a user into an upgraded room', () => {
  it('is moved by joins of users of this server alone', () => {
    expect(localJoinOf(memberFact(alice), server)).toEqual({ userId: alice, roomId: to, replaces: undefined });
    expect(localJoinOf(memberFact('@bob:elsewhere.org'), server)).toBeUndefined();
    expect(localJoinOf(memberFact(alice, 'leave'), server)).toBeUndefined();
    const pdu = { type: 'm.room.message', content: { body: '"membership":"join"', membership: 'join' } };
    const [message] = recordFacts([{ stream: `room-${to}`, type: 'pdu-accepted', data: { state: [], pdu } }]);
    expect(localJoinOf(message!, server)).toBeUndefined();
  });

  it('is moved by tombstones too, and by nothing else that speaks of one', () => {
    const told = (pdu: object): RecordedFact =>
      recordFacts([{ stream: `room-${from}`, type: 'pdu-accepted', data: { state: [], pdu } }])[0]!;
    const tombstone = { type: 'm.room.tombstone', state_key: '', content: { replacement_room: to } };
    expect(replacementOf(told(tombstone))).toBe(to);
    expect(replacementOf(told({ ...tombstone, content: { replacement_room: 'no room' } }))).toBeUndefined();
    expect(replacementOf(told({ ...tombstone, state_key: 'odd' }))).toBeUndefined();
    const named = { type: 'm.room.message', content: { body: '"m.room.tombstone"', type: 'm.room.tombstone' } };
    expect(replacementOf(told(named))).toBeUndefined();
  });

  it('keeps a direct chat a direct chat', () => {
    expect(directRoomsWith({ '@bob:b': [from, '!x:b'], '@eve:b': ['!y:b'], odd: 'no list' }, from, to)).toEqual({
      '@bob:b': [from, '!x:b', to],
      '@eve:b': ['!y:b'],
      odd: 'no list',
    });
    expect(directRoomsWith({ '@bob:b': ['!x:b'] }, from, to)).toBeUndefined();
    expect(directRoomsWith({ '@bob:b': [from, to] }, from, to)).toBeUndefined();
  });
});
