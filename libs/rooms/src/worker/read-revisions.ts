import type { EventStore, RecordedFact } from '#event-store/event-store';
import type { RoomId } from '#kernel/ids';
import { roomStream } from '../facts/room-facts.js';

/** PERF: facts that lie so near to each other are read in one go, those between them too: each read may be a call over a network. */
const NEAR = 16;
/** How many reads are under way at once. */
const READS_AT_ONCE = 32;

/** The facts of a room at some revisions, by these, each as it was written. Throws an Error where the log lacks one. */
export async function readRevisions(
  store: Pick<EventStore, 'readStream'>,
  roomId: RoomId,
  revisions: Iterable<number>,
): Promise<ReadonlyMap<number, RecordedFact>> {
  const wanted = new Set(revisions);
  const found = new Map<number, RecordedFact>();
  const runs = runsOf([...wanted].sort((a, b) => a - b));
  for (let i = 0; i < runs.length; i += READS_AT_ONCE) {
    await Promise.all(
      runs.slice(i, i + READS_AT_ONCE).map(async ({ from, limit }) => {
        for await (const fact of store.readStream(roomStream(roomId), { from, limit, inParts: true })) {
          if (wanted.has(fact.revision)) found.set(fact.revision, fact);
        }
      }),
    );
  }
  const lost = [...wanted].find((revision) => !found.has(revision));
  if (lost !== undefined) throw new Error(`${roomId}: the log has no fact ${lost}`);
  return found;
}

/** The fact of a room at a revision. Throws an Error where the log lacks it. */
export async function readRevision(
  store: Pick<EventStore, 'readStream'>,
  roomId: RoomId,
  revision: number,
): Promise<RecordedFact> {
  return (await readRevisions(store, roomId, [revision])).get(revision)!;
}

interface Run {
  readonly from: number;
  limit: number;
}

function runsOf(revisions: readonly number[]): Run[] {
  const runs: Run[] = [];
  for (const revision of revisions) {
    const last = runs.at(-1);
    const reach = last === undefined ? Infinity : revision - last.from + 1;
    if (last !== undefined && reach - last.limit <= NEAR) last.limit = reach;
    else runs.push({ from: revision, limit: 1 });
  }
  return runs;
}
