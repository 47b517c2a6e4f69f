import type { CommandBus } from '@nestjs/cqrs';
import type { EventId, RoomId } from '#kernel/ids';
import { EraseEvents, type ErasureOfEvents } from '#rooms/commands/erase-events';

/** Has all of some events erased, so many in a turn of their room. Yields how many that were, after each turn. Throws as `EraseEvents`. */
export async function* eraseInTurns(
  commands: CommandBus,
  roomId: RoomId,
  eventIds: readonly EventId[],
  erasure: ErasureOfEvents,
): AsyncGenerator<number, void> {
  for (let left = eventIds; left.length > 0;) {
    const done = await commands.execute(new EraseEvents(roomId, left, erasure));
    left = left.slice(done);
    yield done;
  }
}
