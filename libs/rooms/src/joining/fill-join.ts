import type { EventStore } from '#event-store/event-store';
import type { ServerName } from '#kernel/ids';
import type { Position } from '#kernel/position';
import type { RoomEvent } from '#protocol/room-event';
import { type BroughtState, checkJoin, takeFilled, takeState } from '../worker/join-in-turn.js';
import type { RoomTurn } from '../worker/room-turn.js';
import type { RoomTask, TurnResult } from '../worker/room-workers.js';
import { inOrder, piecesOf } from './complete-join.js';
import type { JoiningRoom } from './joining-room.js';

export interface Filling {
  /** Its state is the whole one before the join event. */
  readonly room: JoiningRoom;
  /** The revision since which the room is partial. */
  readonly begun: number;
  readonly join: RoomEvent;
  readonly origin: ServerName;
  /** This one. */
  readonly serverName: ServerName;
  readonly store: Pick<EventStore, 'readStream'>;
  readonly write: (task: RoomTask<unknown>) => Promise<TurnResult<unknown>>;
}

/**
 * Writes what the state of a partial room lacks, and that all of it is here. What is there already is not written again. Answers the
 * position of that. Throws JoinLost where another process was faster.
 */
export async function fillJoin({ room, begun, join, origin, serverName, store, write }: Filling): Promise<Position> {
  const { quiet, shown } = await inOrder(room, serverName);
  for await (const events of piecesOf([...quiet, ...shown], room, store)) {
    await write(async (turn) => {
      checkJoin(turn, begun);
      for (const one of events) if (isLacking(turn, one)) takeState(turn, one, origin);
      // PERF: its hash is computed as it grows, not all of it at the end.
      void turn.head.partial?.taken.rootHash;
    });
  }
  const { position } = await write(async (turn) => {
    checkJoin(turn, begun);
    takeFilled(turn, join, room.state);
  });
  return position!;
}

function isLacking({ head: { state, partial } }: RoomTurn, { type, stateKey }: BroughtState): boolean {
  return state.get(type, stateKey) === undefined && partial?.taken.get(type, stateKey) === undefined;
}
