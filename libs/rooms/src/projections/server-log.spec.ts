import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { positionOf } from '#testing/position-of';
import { project, type StreamFact } from '#testing/project';
import { membershipProjector } from './membership.projector.js';
import { createRoomFactReader } from './room-fact-reader.js';
import type { ServerLogRow } from './server-log.js';

const USERS = ['@a:b.example', '@b:b.example', '@c:b.example', 'nobody'];
const MEMBERSHIPS = ['join', 'invite', 'leave', 'ban', 'knock'];

type Change = readonly [userId: string, membership: string];

/** That some became something, one after another. */
function factsOf(changes: readonly Change[]): StreamFact[] {
  const held = new Map<string, string>();
  return changes.map(([userId, membership], i) => {
    const pdu = { type: 'm.room.member', state_key: userId, sender: userId, content: { membership } };
    const rest = { prev_events: [], auth_events: [], depth: i, origin_server_ts: i };
    const state = [{ type: pdu.type, state_key: userId, event_id: `$${i}`, replaces: held.get(userId) }];
    held.set(userId, `$${i}`);
    const header = { event_id: `$${i}`, room_version: '11', state, root: '', visibility: 'shared' };
    return { stream: 'room-!r', type: 'pdu-accepted', data: { ...header, pdu: { ...pdu, ...rest } } };
  });
}

async function rowsOf(changes: readonly Change[]): Promise<Record<string, unknown>> {
  const rows = await project(membershipProjector(createRoomFactReader()), factsOf(changes));
  return Object.fromEntries(Object.entries(rows).filter(([key]) => key.startsWith('server-log ')));
}

describe('the log of the servers in a room', () => {
  it('says where the last user of a server left, while none is there', async () => {
    const rows = await rowsOf([
      ['@a:b.example', 'join'],
      ['@b:b.example', 'invite'],
      ['@a:b.example', 'leave'],
      ['@b:b.example', 'leave'],
      ['@b:b.example', 'join'],
    ]);
    expect(Object.values(rows)).toEqual([
      { joined: 1, invited: 0 },
      { joined: 1, invited: 1 },
      { joined: 0, invited: 1, left: positionOf(3) },
      { joined: 0, invited: 0, left: positionOf(3) },
      { joined: 1, invited: 0 },
    ]);
  });

  it('counts who is joined and who is invited, whoever comes and goes, and has no row where that stays', async () => {
    const change = fc.tuple(fc.constantFrom(...USERS), fc.constantFrom(...MEMBERSHIPS));
    await fc.assert(
      fc.asyncProperty(fc.array(change, { maxLength: 25 }), async (changes) => {
        const rows = Object.values(await rowsOf(changes)) as ServerLogRow[];
        const now = new Map<string, string>();
        const expected: { joined: number; invited: number }[] = [];
        let last = { joined: 0, invited: 0 };
        for (const [userId, membership] of changes) {
          if (userId.startsWith('@')) now.set(userId, membership);
          const count = (one: string): number => [...now.values()].filter((is) => is === one).length;
          const counts = { joined: count('join'), invited: count('invite') };
          if (counts.joined !== last.joined || counts.invited !== last.invited) expected.push(counts);
          last = counts;
        }
        expect(rows.map(({ joined, invited }) => ({ joined, invited }))).toEqual(expected);
        for (const { joined, left } of rows) if (joined > 0) expect(left).toBeUndefined();
      }),
    );
  });
});

describe('who was invited to a room while nobody was there', () => {
  it('is counted as invited by the room, and as joined alone once they joined', async () => {
    const userId = '@a:b.example';
    const pdu = { type: 'm.room.member', state_key: userId, sender: '@z:z.example', content: { membership: 'invite' } };
    const told = { room_id: '!r', room_version: '11', membership: 'invite', event_id: '$0', pdu, state: [] };
    const [left, ...since] = factsOf([
      [userId, 'leave'],
      [userId, 'invite'],
      [userId, 'join'],
    ]);
    const facts = [left!, { stream: `elsewhere-${userId}`, type: 'membership-told', data: told }, ...since];
    const rows = await project(membershipProjector(createRoomFactReader()), facts);
    expect(rows['room-counts !r']).toMatchObject({ joined: 1, invited: 0 });
    expect(Object.keys(rows).filter((key) => key.startsWith('room-members '))).toEqual([
      `room-members !r join ${userId}`,
    ]);
    const counts = Object.entries(rows).filter(([key]) => key.startsWith('server-log '));
    expect(counts.map(([, row]) => row)).toEqual([
      { joined: 0, invited: 1 },
      { joined: 1, invited: 0 },
    ]);
  });
});
