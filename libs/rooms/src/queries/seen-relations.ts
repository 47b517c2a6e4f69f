import { type Position, START } from '#kernel/position';
import type { RelationMark } from '../projections/relations.projector.js';
import { readRowsAt, type RowPlace } from '../reading/event-rows.js';
import type { RoomReader } from '../reading/room-reader.js';
import { servedRelated } from '../reading/withhold.js';

/** Where an event stands that relates to another, and whether the graph alone tells who was in the room at it. */
export interface ChildPlace extends RowPlace {
  readonly isAside: boolean;
}

/** What the mark of a relation says. */
export function markedBy(mark: RelationMark | undefined): Pick<ChildPlace, 'isAside' | 'isHistory'> {
  return { isHistory: mark === 'history', isAside: mark === 'aside' };
}

/**
 * Those of some events that relate to others of which the reader knows that they do: what they may not see, or is served redacted
 * to them, relates to nothing for them. Whom the reader ignores is for the caller. PERF: of what happened while the reader was in
 * the room nothing has to be looked at.
 */
export async function seenRelations<T extends ChildPlace>(
  room: RoomReader,
  children: readonly T[],
): Promise<readonly T[]> {
  let from: Position | undefined;
  let to = START;
  for (const { position, isHistory, isAside } of children) {
    if (isHistory || isAside) continue;
    if (from === undefined || position < from) from = position;
    if (position > to) to = position;
  }
  const live = from === undefined ? room : await room.overStretch(from, to);
  const unsure = children.filter(
    ({ position, isHistory, isAside }) => isHistory || isAside || live.memberships.at(position) !== 'join',
  );
  if (unsure.length === 0) return children;
  const found = (await readRowsAt(room.views, room.roomId, unsure)).filter((row) => row !== undefined);
  const there = await live.over(found);
  const visible = found.filter(({ header }) => there.maySee(header));
  const seen = new Set((await servedRelated(there, visible)).map(({ header }) => header.position));
  const hidden = new Set(unsure.filter(({ position }) => !seen.has(position)));
  return children.filter((child) => !hidden.has(child));
}
