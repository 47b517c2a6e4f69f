import type { Position } from '#kernel/position';
import { parseRow } from '../projections/timeline-row.js';
import type { RoomReader } from '../reading/room-reader.js';
import { servedWhole } from '../reading/withhold-erased.js';

/**
 * Those of some events that relate to others of which the reader knows that they do: what they may not see, or is served redacted
 * to them, relates to nothing for them. Whom the reader ignores is for the caller. PERF: of what happened while the reader was in
 * the room nothing has to be looked at.
 */
export async function seenRelations<T extends { readonly position: Position }>(
  room: RoomReader,
  children: readonly T[],
): Promise<readonly T[]> {
  const [first] = children;
  if (first === undefined) return children;
  let [from, to] = [first.position, first.position];
  for (const { position } of children) {
    if (position < from) from = position;
    if (position > to) to = position;
  }
  const there = await room.overStretch(from, to);
  const unsure = children.filter(({ position }) => there.memberships.at(position) !== 'join');
  if (unsure.length === 0) return children;
  const keys = unsure.map(({ position }) => [room.roomId, position]);
  const found = (await room.views.getMany('timeline', keys)).flatMap((text) =>
    text === undefined ? [] : [parseRow(text)],
  );
  const visible = found.filter(({ header }) => there.maySee(header));
  const seen = new Set((await servedWhole(there, visible)).map(({ header }) => header.position));
  const hidden = new Set(unsure.filter(({ position }) => !seen.has(position)));
  return children.filter((child) => !hidden.has(child));
}
