import { type Answer, whenThere } from '#kernel/answer';
import type { RoomId } from '#kernel/ids';
import { Collection } from '#projections/collection';
import type { OwnRows } from '#projections/projector';
import { currentChangeOf, type PduAccepted } from '../facts/room-facts.js';
import { formatStatePlace, lineOf, NO_STATE, type StatePlace, statePlaceOf } from './graph-rows.js';
import { valuesOf } from './state-entries.js';
import { writeNextState } from './write-state.js';

export const GRAPH_CURRENT = new Collection<readonly [roomId: RoomId], StatePlace>('graph-current', {
  key: ['room'],
  says: 'where its current state is',
  codec: { encode: formatStatePlace, decode: statePlaceOf },
});

/** Told apart from the line that the same fact may have begun for the states before and after its event. */
const OF_CURRENT = '.';

/**
 * Writes down where the state is that the room has from an accepted event on. Mostly it is the one after the event, at `after`, and
 * then there is nothing to tell; where the room has several extremities it is what they were resolved to, and its place is answered.
 */
export function writeCurrent(
  rows: OwnRows,
  roomId: RoomId,
  revision: number,
  data: PduAccepted,
  after: StatePlace,
): Answer<StatePlace | undefined> {
  const change = currentChangeOf(data);
  if (change === undefined) return undefined;
  const { state, root } = change;
  if (root === data.root) {
    GRAPH_CURRENT.put(rows, [roomId], after);
    return undefined;
  }
  return whenThere(GRAPH_CURRENT.get(rows, [roomId]), (last = NO_STATE) => {
    if (state.length === 0) return last;
    const line = `${lineOf(revision)}${OF_CURRENT}`;
    return whenThere(writeNextState(rows, roomId, last, line, valuesOf(state), root), (place) => {
      GRAPH_CURRENT.put(rows, [roomId], place);
      return place;
    });
  });
}
