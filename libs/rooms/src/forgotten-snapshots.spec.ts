import { afterEach, expect, it } from 'vitest';
import { ForgottenAccounts } from '#accounts/forgotten-accounts';
import type { RoomId } from '#kernel/ids';
import { said, wordsProjector } from '#projections/example-projectors';
import { ProjectionRuntime } from '#projections/projection-runtime';
import type { ReadModelStore } from '#read-models/read-model-store';
import { MemoryEventStore } from '#testing/memory-event-store';
import { MemoryReadModels } from '#testing/memory-read-models';
import { ForgottenSnapshots } from './forgotten-snapshots.js';
import { roomStream } from './facts/room-facts.js';
import { RoomSnapshots } from './worker/room-snapshots.js';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

async function begin(store: MemoryEventStore, readModels: ReadModelStore): Promise<() => Promise<void>> {
  const rooms = new RoomSnapshots(store, readModels, () => {});
  const listeners = [new ForgottenSnapshots(rooms), new ForgottenAccounts(readModels)];
  const parts = { store, readModels, projectors: [wordsProjector()], listeners, clock: { now: () => 7 } };
  const runtime = new ProjectionRuntime(parts);
  await runtime.start();
  closing.push(() => runtime.stop());
  return () => runtime.stop();
}

it('what was kept of rooms that are purged, and of people who are erased, goes also from an older copy of the views, and of nobody else', async () => {
  const store = new MemoryEventStore();
  const readModels = new MemoryReadModels();
  const [gone, kept] = ['!gone:a', '!kept:a'] as RoomId[];
  const fact = (stream: string, type: string, data: object) =>
    store.append(stream, 'no-stream', [{ ...said('x'), type, data: JSON.stringify(data) }]);
  await fact('s', 'said', {});
  const stop = await begin(store, readModels);
  const rows = [
    { collection: 'room-snapshots', key: [gone!, 'head'], value: '{}' },
    { collection: 'room-snapshots', key: [kept!, 'head'], value: '{}' },
    { collection: 'stream-snapshots', key: ['push-rules', 'user-@erased:a'], value: '{}' },
    { collection: 'stream-snapshots', key: ['push-rules', 'user-@closed:a'], value: '{}' },
  ];
  await readModels.write(rows);
  await stop();
  // They are written without these views: they are of before.
  await fact(roomStream(gone!), 'room-purged', {});
  await fact('user-@erased:a', 'account-deactivated', { erase: true });
  await fact('user-@closed:a', 'account-deactivated', { erase: false });
  await begin(store, readModels);
  const left = async (): Promise<(readonly string[])[]> => {
    const all = ['room-snapshots', 'stream-snapshots'].map((name) => readModels.scan(name, { limit: 10 }));
    return (await Promise.all(all)).flat().map(({ key }) => key);
  };
  await expect.poll(left).toEqual([rows[1]!.key, rows[3]!.key]);
});
