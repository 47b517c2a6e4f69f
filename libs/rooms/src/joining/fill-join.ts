import type { EventStore } from '#event-store/event-store';
import type { ServerName } from '#kernel/ids';
import type { Position } from '#kernel/position';
import type { RoomEvent } from '#protocol/room-event';
import { type BroughtState, checkFilling, takeFilled, takeState } from '../worker/join-in-turn.js';
import type { RoomTurn } from '../worker/room-turn.js';
import type { RoomTask, TurnResult } from '../worker/room-workers.js';
import { inOrder, piecesOf } from './complete-join.js';
import type { JoiningRoom } from './joining-room.js';

export interface Filling {
  /** Its state is the whole one before the join event. */
  readonly room: JoiningRoom;
  /** The revision since which the room is partial. */
  readonly begun: number;
  /** The last fact that fills the room, as this process wrote it. */
  readonly filledAt: number | undefined;
  readonly join: RoomEvent;
  readonly origin: ServerName;
  /** This one. */
  readonly serverName: ServerName;
  readonly store: Pick<EventStore, 'readStream'>;
  readonly write: <T>(task: RoomTask<T>) => Promise<TurnResult<T>>;
}

/**
 * Writes what the state of a partial room lacks, and that all of it is here. What is there already is not written again. Answers the
 * position of that. Throws JoinLost where another process was faster.
 */
export async function fillJoin(filling: Filling): Promise<Position> {
  const { room, begun, join, origin, serverName, store, write } = filling;
  let { filledAt } = filling;
  const { quiet, shown } = await inOrder(room, serverName);
  for await (const events of piecesOf([...quiet, ...shown], room, store)) {
    const { result } = await write(async (turn) => {
      checkFilling(turn, begun, filledAt);
      for (const one of events) if (isLacking(turn, one)) takeState(turn, one, origin);
      // PERF: its hash is computed as it grows, not all of it at the end.
      void turn.head.partial?.taken.rootHash;
      return turn.head.partial?.filledAt;
    });
    filledAt = result;
  }
  const { position } = await write(async (turn) => {
    checkFilling(turn, begun, filledAt);
    takeFilled(turn, join, room.state);
  });
  return position!;
}

function isLacking({ head: { state, partial } }: RoomTurn, { type, stateKey }: BroughtState): boolean {
  return state.get(type, stateKey) === undefined && partial?.taken.get(type, stateKey) === undefined;
}
