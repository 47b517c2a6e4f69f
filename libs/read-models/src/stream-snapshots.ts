import type { SnapshotStore, StreamSnapshot } from '#event-store/stream-snapshot';
import type { ReadModelStore } from './read-model-store.js';
import type { WriteSideName } from './write-side-collections.js';

/** The collection of snapshots of streams that have no worker. It belongs to the write side, and may be deleted at any time. */
const SNAPSHOTS: WriteSideName = 'stream-snapshots';

/** What a stream is folded to: each has snapshots of its own. */
const FOLDS = ['account', 'push-rules', 'cross-signing', 'backup-versions'] as const;

/**
 * What streams were folded to, one row for each stream and fold. Only the process that writes the views can keep any; the others
 * read them. Where the views are away there are none: then all of a stream is read.
 */
export function streamSnapshots(readModels: ReadModelStore, fold: string): SnapshotStore {
  return {
    async find(stream) {
      const text = await readModels.get(SNAPSHOTS, [fold, stream]).catch(() => undefined);
      if (text === undefined) return undefined;
      try {
        return JSON.parse(text) as StreamSnapshot; // as `keep` wrote it
      } catch {
        return undefined;
      }
    },
    async keep(stream, snapshot) {
      if (!readModels.isWriter) return;
      await readModels.write([{ collection: SNAPSHOTS, key: [fold, stream], value: JSON.stringify(snapshot) }]);
    },
  };
}

/** Lets go of what a stream was folded to, in the process that writes the views: all of it is made again when it is asked for. */
export async function forgetStreamSnapshots(readModels: ReadModelStore, stream: string): Promise<void> {
  if (!readModels.isWriter) return;
  await readModels.write(FOLDS.map((fold) => ({ collection: SNAPSHOTS, key: [fold, stream], value: null })));
}
