import type { Logger } from '@nestjs/common';
import type { CommandBus } from '@nestjs/cqrs';
import { expect, it } from 'vitest';
import type { RoomId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { PolicyAway } from '#rooms/policy-away';
import { requesterOf } from '#testing/room-commands';
import { ALICE } from '#testing/local-room';
import { leaveForUser } from './leave-for-user.js';

/** Whether who leaves hears of what the room says, and how often the log does. */
async function leave(refusal: Error): Promise<{ readonly thrown: unknown; readonly warnings: number }> {
  let warnings = 0;
  const commands = { execute: () => Promise.reject(refusal) } as unknown as CommandBus;
  const log = { warn: () => void warnings++ } as unknown as Logger;
  const left = leaveForUser(commands, requesterOf(ALICE), '!room:a.example' as RoomId, log, 'they stay');
  const thrown = await left.catch((error: unknown) => error);
  return { thrown, warnings };
}

it('who is to leave a room that does not let them go stays, and is tried again where only its policy server is away, or asked too much', async () => {
  expect(await leave(new MatrixError('M_FORBIDDEN'))).toEqual({ thrown: undefined, warnings: 1 });
  for (const passing of [new PolicyAway(), new MatrixError('M_LIMIT_EXCEEDED')])
    expect(await leave(passing)).toEqual({ thrown: passing, warnings: 0 });
});
