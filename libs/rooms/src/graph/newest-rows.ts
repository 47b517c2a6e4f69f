import { type Answer, whenThere } from '#kernel/answer';
import type { RoomId } from '#kernel/ids';
import { Collection, type RowCodec } from '#projections/collection';
import { type BucketRow, findBucketRow, getBucketRow } from './bucket-rows.js';
import { type GraphRows, indexKey, indexOfKey, type StatePlace } from './graph-rows.js';

const asIndex: RowCodec<number> = { encode: indexKey, decode: indexOfKey };

/** PERF: so that whoever goes on with a line looks nothing up but rows whose keys are known: nothing is searched (docs/performance.md). */
export const GRAPH_NEWEST = new Collection<readonly [roomId: RoomId, line: string, bucket: string], number>(
  'graph-newest',
  { key: ['room', 'line', 'bucket'], says: 'the index of its last row on the line', codec: asIndex },
);

/** As `findBucketRow`, for what was the last place of a line a moment ago. */
export function findNewestRow(
  rows: GraphRows,
  roomId: RoomId,
  end: StatePlace,
  bucket: string,
): Answer<BucketRow | undefined> {
  const { line } = end;
  return whenThere(GRAPH_NEWEST.get(rows, [roomId, line, bucket]), (index) =>
    // Rows of an earlier version of the projection do not say it, and views that are read over a network may have moved on.
    index === undefined || index > end.index
      ? findBucketRow(rows, roomId, end, bucket)
      : getBucketRow(rows, roomId, bucket, { line, index }),
  );
}
