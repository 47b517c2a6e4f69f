import { describe, expect, it } from 'vitest';
import type { RecordedFact } from '#event-store/event-store';
import { roomStream } from '#rooms/facts/room-facts';
import { GuestEviction } from './guest-eviction.effect.js';

const ROOM = '!room:a.example' as never;
const ACCESS = { type: 'm.room.guest_access', state_key: '' };

function keyOf(header: object): string | undefined {
  const pdu = { type: 'm.room.member', state_key: '@bob:b.example', content: { membership: 'ban' } };
  const data = JSON.stringify({ event_id: '$ban', ...header, extremities: ['$ban'], pdu });
  const fact = { stream: roomStream(ROOM), type: 'pdu-accepted', data } as RecordedFact;
  return new GuestEviction(undefined as never, undefined as never, undefined as never).keyOf(fact);
}

describe('the eviction of guests', () => {
  it('follows from whatever changes who may be in a room now, be it that extremities of the room meet, and from nothing else', () => {
    const current = { root: '', state: [{ ...ACCESS, event_id: null, replaces: '$open' }] };
    expect(keyOf({ state: [], root: '', current })).toBe(ROOM);
    const lost = [{ ...ACCESS, event_id: '$shut', replaces: '$open' }];
    expect(keyOf({ state: lost, root: '', current: { root: '', state: [] } })).toBeUndefined();
    expect(keyOf({ state: lost, root: '' })).toBe(ROOM);
    expect(keyOf({ state: lost, root: '', history: true })).toBeUndefined();
  });
});
