import { describe, expect, it } from 'vitest';
import type { RecordedFact } from '#event-store/event-store';
import { MatrixError } from '#kernel/matrix-error';
import { elsewhereStream } from '#rooms/facts/elsewhere-facts';
import { roomStream } from '#rooms/facts/room-facts';
import { LeftRooms } from './left-rooms.effect.js';

const ROOM = '!room:a.example' as never;
const BOB = '@bob:a.example' as never;

function effectWith(forgetsLeftRooms: boolean): LeftRooms {
  return new LeftRooms(undefined as never, undefined as never, { forgetsLeftRooms, serverName: 'a.example' as never });
}

function memberFact(header: object): RecordedFact {
  const pdu = { type: 'm.room.member', state_key: BOB, content: { membership: 'leave' } };
  const data = JSON.stringify({ event_id: '$e', ...header, extremities: ['$e'], pdu });
  return { stream: roomStream(ROOM), type: 'pdu-accepted', data } as RecordedFact;
}

const MEMBER = [{ type: 'm.room.member', state_key: BOB, event_id: '$e', replaces: '$join' }];
const TOLD = { stream: elsewhereStream(BOB), type: 'membership-told', data: '{}' } as RecordedFact;

describe('forgetting what was left', () => {
  it('follows from what changes who is in a room now, here and elsewhere', () => {
    const effect = effectWith(true);
    expect(effect.keyOf(memberFact({ state: MEMBER, root: '' }))).toBe(roomStream(ROOM));
    expect(effect.keyOf(TOLD)).toBe(TOLD.stream);
  });

  it('is tried again where it cannot be done now, and not where they are in it again', async () => {
    const fact = { ...TOLD, data: JSON.stringify({ room_id: ROOM }), metadata: { actor: 'server' } } as RecordedFact;
    const views = { get: async () => JSON.stringify({ membership: 'leave' }) };
    const run = (refusal: MatrixError): Promise<boolean> => {
      const commands = { execute: () => Promise.reject(refusal) };
      const config = { forgetsLeftRooms: true, serverName: 'a.example' as never };
      return new LeftRooms(commands as never, views as never, config).run(fact);
    };
    await expect(run(new MatrixError('M_UNKNOWN', 'The store is away', { status: 503 }))).rejects.toThrow('away');
    expect(await run(new MatrixError('M_UNKNOWN', 'They are in it', { status: 400 }))).toBe(false);
  });

  it('follows from nothing of the past, from no message, and from nothing where it is not wanted', () => {
    const effect = effectWith(true);
    expect(effect.keyOf(memberFact({ state: MEMBER, root: '', history: true }))).toBeUndefined();
    expect(effect.keyOf(memberFact({ state: [], root: '' }))).toBeUndefined();
    expect(effect.keyOf({ ...TOLD, type: 'room-forgotten' })).toBeUndefined();
    for (const fact of [memberFact({ state: MEMBER, root: '' }), TOLD]) {
      expect(effectWith(false).keyOf(fact)).toBeUndefined();
    }
  });
});
