import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type EventId, type ServerName, serverNameOf, type UserId } from '#kernel/ids';
import type { RoomEvent } from '#protocol/room-event';
import { CAROL, Life, step } from '../../test/life-that-forks.js';
import { readLoggedPdus } from '../queries/read-pdus.js';
import { findRowsById } from './event-rows.js';
import { findRoomReader } from './room-reader.js';
import { findServerReader } from './server-reader.js';

const [DORA, NOBODY] = ['@dora:c.example', '@nobody:d.example'] as UserId[];

/** What the server of a user may see of a room, and what the user is shown of it. */
async function askFor(
  life: Life,
  userId: UserId,
): Promise<{ server: Set<EventId>; user: Set<EventId>; isIn: boolean }> {
  const { views, room, accepted } = life;
  const ids = [...new Set(accepted.map(({ eventId }) => eventId))];
  const reader = await findServerReader(views, room.roomId, serverNameOf(userId));
  const pdus = await readLoggedPdus({ views, store: views.today }, room.roomId, ids);
  const seen = await reader.seenOf([...pdus.values()]);
  const rows = (await findRowsById(views, room.roomId, ids)).filter((row) => row !== undefined);
  const asUser = await findRoomReader(views, room.roomId, { userId, ignored: new Set() });
  const there = await asUser.over(rows);
  const shown = rows.filter(({ header }) => there.maySee(header)).map(({ header }) => header.eventId);
  return { server: new Set(seen), user: new Set(shown), isIn: reader.isIn };
}

function isOf({ sender, stateKey = '' }: RoomEvent, server: ServerName): boolean {
  return serverNameOf(sender) === server || stateKey.endsWith(`:${server}`);
}

describe('a server before a room that forks', () => {
  it('with one user sees what they see, and no more but what is theirs or in force', async () => {
    let hidden = 0;
    const property = fc.asyncProperty(fc.array(step, { minLength: 8, maxLength: 18 }), async (steps) => {
      const life = new Life(DORA);
      await life.begin();
      for (const one of steps) await life.take(one);
      await life.views.follow();
      await life.others.extremities();
      for (const userId of [DORA!, CAROL, NOBODY!]) {
        const { server, user, isIn } = await askFor(life, userId);
        for (const event of life.accepted) {
          const { eventId, stateKey, type } = event;
          const told = server.has(eventId);
          if (user.has(eventId)) expect([userId, type, told]).toEqual([userId, type, true]);
          if (!told) hidden++;
          if (!told || isOf(event, serverNameOf(userId)) || (isIn && stateKey !== undefined)) continue;
          expect([userId, type, life.maySee(event, userId)]).toEqual([userId, type, true]);
        }
      }
    });
    await fc.assert(property, { numRuns: Number(process.env['ANNALS_LOOK_UPS'] ?? 10) });
    expect(hidden).toBeGreaterThan(0);
  });
});
