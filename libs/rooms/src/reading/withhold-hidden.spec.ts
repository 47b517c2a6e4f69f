import { afterEach, expect, it, vi } from 'vitest';
import type { EventId, UserId } from '#kernel/ids';
import { ALICE, BOB, TEST_AUTHOR } from '#testing/local-room';
import { MemoryEventStore } from '#testing/memory-event-store';
import { RoomCommands } from '#testing/room-commands';
import { RoomViews } from '#testing/room-views';
import { ROOM_STATE } from '../projections/room-state.projector.js';
import { getEvent } from '../queries/get-event.js';
import { findRoomReader } from './room-reader.js';
import { withholdHidden } from './withhold-hidden.js';

afterEach(() => void vi.restoreAllMocks());

it('asks once for one answer whether the reader may hide messages, however many parts it has', async () => {
  const { views, ...home } = await roomWithBob();
  const { row } = await getEvent(views, home.roomId, home.said, { userId: ALICE, ignored: new Set<UserId>() });
  const hidden = { ...row, header: { ...row.header, hiddenBy: '$hides' as EventId } };
  const reads = vi.spyOn(ROOM_STATE, 'getMany');
  const carol = '@carol:a.example' as UserId;
  for (const [userId, sees, most] of [
    [ALICE, true, 1],
    [BOB, false, 1],
    [carol, false, 0],
  ] as const) {
    const room = await findRoomReader(views, home.roomId, { userId, ignored: new Set<UserId>() });
    reads.mockClear();
    for (const part of [room, await room.over([hidden]), room]) {
      const [served] = await withholdHidden(part, [
        { ...hidden, header: { ...hidden.header, sender: '@dan:a.example' as UserId } },
      ]);
      expect([userId, served?.content !== '{}']).toEqual([userId, sees]);
    }
    expect([userId, reads.mock.calls.length]).toEqual([userId, most]);
  }
});

async function roomWithBob() {
  const views = new RoomViews(new MemoryEventStore());
  const home = new RoomCommands(views, TEST_AUTHOR);
  const roomId = await home.open();
  await home.on(ALICE, 'invite', roomId, BOB);
  await home.join(BOB, roomId);
  const said = await home.send(ALICE, roomId);
  await views.follow();
  return { views, roomId, said };
}
