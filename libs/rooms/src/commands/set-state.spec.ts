import type { CommandBus } from '@nestjs/cqrs';
import { expect, it } from 'vitest';
import type { DeviceId, RoomId, UserId } from '#kernel/ids';
import type { Views } from '#projections/views';
import { TEST_AUTHOR } from '#testing/local-room';
import type { AliasBook } from '../alias-book.js';
import type { RoomWorkers } from '../worker/room-workers.js';
import type { InvitationsElsewhere } from './invite-elsewhere.js';
import { LeaveRoom } from './leave-room.js';
import { SetState, SetStateHandler } from './set-state.js';

it('who leaves by state a room that another server never let them into is told that there is no event of it', async () => {
  const done: object[] = [];
  const commands = { execute: async (command: object) => void done.push(command) } as unknown as CommandBus;
  const views = { get: async () => undefined, scan: async () => [] } as unknown as Views;
  const invitations = { isElsewhere: () => false } as unknown as InvitationsElsewhere;
  const none = {} as RoomWorkers & AliasBook;
  const handler = new SetStateHandler(none, invitations, views, none, TEST_AUTHOR, commands);
  const alice = { userId: '@alice:a.example' as UserId, deviceId: 'D' as DeviceId, isAdmin: false, requestId: '' };
  const command = new SetState(alice, '!r:b.example' as RoomId, 'm.room.member', alice.userId, { membership: 'leave' });
  await expect(handler.execute(command)).rejects.toMatchObject({ errcode: 'M_NOT_FOUND' });
  expect(done).toEqual([expect.any(LeaveRoom)]);
});
