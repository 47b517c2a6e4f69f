import { describe, expect, it } from 'vitest';
import type { RoomId } from '#kernel/ids';
import { longPosition, type Position } from '#kernel/position';
import { BatchRows } from '#projections/batch-rows';
import { MemoryReadModels } from '#testing/memory-read-models';
import { DeepestBefore } from './deepest-before.js';
import { depthKey } from './event-place.js';
import { TOPOLOGY } from './timeline-collections.js';

const ROOM = '!r:a.example' as RoomId;
const OTHER = '!other:a.example' as RoomId;
const at = (number: number): Position => longPosition(String(number));

/** The rows of a batch over a store, which counts how often that is looked through. */
class CountedRows extends BatchRows {
  scans = 0;

  constructor(store: MemoryReadModels) {
    super(store, new Map([[TOPOLOGY.name, TOPOLOGY.name]]));
  }

  override scan(...asked: Parameters<BatchRows['scan']>): ReturnType<BatchRows['scan']> {
    this.scans++;
    return super.scan(...asked);
  }
}

/** Applies events of these depths, from a position on, and answers how deep those before each go. */
async function apply(depths: DeepestBefore, rows: BatchRows, from: number, ...all: readonly number[]) {
  const told: (number | undefined)[] = [];
  for (const [i, depth] of all.entries()) {
    const deepest = await depths.find(ROOM, at(from + i), rows);
    told.push(deepest);
    TOPOLOGY.put(rows, [ROOM, depthKey(depth), at(from + i)], false);
    depths.note(ROOM, depth, rows, { deepest });
  }
  return told;
}

describe('how deep the events go that came before another', () => {
  it('is told of each, and the rows are looked through once for a room in a batch', async () => {
    const store = new MemoryReadModels();
    const rows = new CountedRows(store);
    const depths = new DeepestBefore();
    expect(await apply(depths, rows, 1, 1, 2, 9, 3, 4, 10)).toEqual([undefined, 1, 2, 9, 9, 9]);
    expect(rows.scans).toBe(1);
    await depths.find(OTHER, at(7), rows);
    expect(rows.scans).toBe(2);
    await store.write(rows.writes);
    const next = new CountedRows(store);
    expect(await apply(depths, next, 7, 5, 11, 6)).toEqual([10, 10, 11]);
    expect(next.scans).toBe(1);
  });

  it('counts events for which nobody asked', async () => {
    const rows = new CountedRows(new MemoryReadModels());
    const depths = new DeepestBefore();
    await apply(depths, rows, 1, 1);
    TOPOLOGY.put(rows, [ROOM, depthKey(7), at(2)], true);
    depths.note(ROOM, 7, rows);
    depths.note(OTHER, 7, rows);
    expect(await apply(depths, rows, 3, 2)).toEqual([7]);
    expect(await depths.find(OTHER, at(4), rows)).toBeUndefined();
  });

  it('counts nothing that came later and is there already, for facts are applied again', async () => {
    const store = new MemoryReadModels();
    const first = new CountedRows(store);
    await apply(new DeepestBefore(), first, 1, 1, 2, 9, 3);
    await store.write(first.writes);
    expect(await apply(new DeepestBefore(), new CountedRows(store), 1, 1, 2, 9, 3)).toEqual([undefined, 1, 2, 9]);
  });
});
