import { expect, it } from 'vitest';
import { RoomIsPartial } from '#rooms/partial-room';
import type { RoomId, UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { MemoryEventStore } from '#testing/memory-event-store';
import { DelayedEvents } from './delayed-events.js';

const alice = { userId: '@alice:a.example' as UserId, deviceId: 'PHONE', isAdmin: false, requestId: 'r' } as Requester;

it('an event whose time has come waits on where its room waits for other servers, and ends where it is refused', async () => {
  let now = 0;
  let refusal: Error = new RoomIsPartial();
  const views = { whenProcessed: () => Promise.resolve() };
  const commands = { execute: () => Promise.reject(refusal) };
  const clock = { now: () => now };
  const delayed = new DelayedEvents(new MemoryEventStore(), clock, views as never, commands as never);
  const draft = { room_id: '!room:a.example' as RoomId, type: 'a.state', state_key: '', delay: 10, content: '{}' };
  const id = await delayed.schedule(alice, draft);
  now = 10;
  await expect(delayed.sendWhenDue(alice.userId, id)).rejects.toBe(refusal);
  expect((await delayed.of(alice.userId)).get(id)!.end).toBeUndefined();
  refusal = new MatrixError('M_FORBIDDEN');
  await delayed.sendWhenDue(alice.userId, id);
  expect((await delayed.of(alice.userId)).get(id)!.end).toMatchObject({ outcome: 'error', reason: 'delay' });
});
