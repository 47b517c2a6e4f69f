import type { CommandBus } from '@nestjs/cqrs';
import { describe, expect, it } from 'vitest';
import { MatrixError } from '#kernel/matrix-error';
import type { Views } from '#projections/views';
import { recordFacts } from '#testing/project';
import { Departure } from './departure.effect.js';

const STANDS = async (): Promise<boolean> => true;
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
        if (roomId === '!a') throw new MatrixError('M_FORBIDDEN');
      },
    };
    const departure = new Departure(bus as unknown as CommandBus, views as unknown as Views);
    const [deactivated, other] = recordFacts([
      { stream: `user-${alice}`, type: 'account-deactivated', data: { erase: false } },
      { stream: 'user-@bob:example.org', type: 'password-changed', data: {} },
    ]);
    expect([departure.keyOf(deactivated!), departure.keyOf(other!)]).toEqual([alice, undefined]);
    expect(await departure.run(deactivated!, STANDS)).toBe(true);
    expect(left).toEqual(['!a', '!c', '!e', '!f'].map((room) => `${alice} ${room}`));
  });

  it('leaves them at another try where the log was away', async () => {
    const views = { scan: async () => [{ key: [alice, '!a'], value: '{"membership":"join"}' }] };
    const bus = { execute: () => Promise.reject(new Error('away')) };
    const departure = new Departure(bus as unknown as CommandBus, views as unknown as Views);
    const [fact] = recordFacts([{ stream: `user-${alice}`, type: 'account-deactivated', data: { erase: false } }]);
    await expect(departure.run(fact!, STANDS)).rejects.toThrow('away');
  });
});
