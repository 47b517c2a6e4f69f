import type { CommandBus } from '@nestjs/cqrs';
import { describe, expect, it } from 'vitest';
import type { Views } from '#projections/views';
import { recordFacts } from '#testing/project';
import { Departure } from './departure.js';

const alice = '@alice:example.org';

describe('who closes their account', () => {
  it('leaves every room they are in, also where one does not let them go', async () => {
    const memberships = { '!a': 'join', '!b': 'leave', '!c': 'invite', '!d': 'ban', '!e': 'knock', '!f': 'join' };
    const rows = Object.entries(memberships).map(([room, membership]) => ({
      key: [alice, room],
      value: JSON.stringify({ membership }),
    }));
    const left: string[] = [];
    const views = { scan: async () => rows };
    const bus = {
      execute: async ({ requester, roomId }: { requester: { userId: string }; roomId: string }) => {
        left.push(`${requester.userId} ${roomId}`);
        if (roomId === '!a') throw new Error('no');
      },
    };
    const departure = new Departure(bus as unknown as CommandBus, views as unknown as Views);
    departure.hear(
      recordFacts([
        { stream: `user-${alice}`, type: 'account-deactivated', data: { erase: false } },
        { stream: 'user-@bob:example.org', type: 'password-changed', data: {} },
      ]),
    );
    await expect.poll(() => left.length).toBe(4);
    expect(left).toEqual(['!a', '!c', '!e', '!f'].map((room) => `${alice} ${room}`));
  });
});
