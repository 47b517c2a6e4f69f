import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TodaysEventStore } from '#event-store/todays-event-store';
import { openLmdbEventStore } from '#event-store/lmdb/lmdb-event-store';
import { listProjectors } from '#homeserver/projectors';
import { systemClock } from '#kernel/clock';
import type { ServerName } from '#kernel/ids';
import { FACT_SHAPES } from '#processes/fact-shapes';
import { ROOM_PARTS } from '#rooms/facts/told-in-parts';
import { ProjectionRuntime } from '#projections/projection-runtime';
import { createSigningKey } from '#protocol/signing/signing-key';
import { openLmdbReadModels } from '#read-models/lmdb/lmdb-read-model-store';
import { ExtremityMerging } from '#rooms/commands/merge-extremities';
import { ReceivePdus, ReceivePdusHandler } from '#rooms/commands/receive-pdus';
import { Receiving } from '#rooms/commands/receiving';
import { TakeInRoom, TakeInRoomHandler } from '#testing/receiving/take-in-room';
import { allowAll } from '#rooms/room-policy';
import type { ServerKeys } from '#rooms/server-keys';
import { RoomSnapshots } from '#rooms/worker/room-snapshots';
import { RoomWorkers } from '#rooms/worker/room-workers';
import type { ForeignPdu } from '#testing/receiving/foreign-server';
import type { MemoryRoom } from '#testing/receiving/memory-room';

const AUTHOR = {
  serverName: 'bench.example' as ServerName,
  signingKey: createSigningKey(new Uint8Array(32).fill(7), '1'),
};

/** Of invitations nothing is measured. */
export const NOBODY_ASKED = { hide: async (): Promise<void> => {} };

/** This server as far as events of others concern it: log and views in LMDB, workers, every projector, and no door. */
export class ReceivingServer {
  private constructor(
    private readonly receiving: Receiving,
    private readonly workers: RoomWorkers,
    private readonly merging: ExtremityMerging,
    private readonly closeStores: () => Promise<void>,
  ) {}

  static async start(keys: ServerKeys): Promise<ReceivingServer> {
    const directory = mkdtempSync(join(tmpdir(), 'annals-bench-receive-'));
    const store = new TodaysEventStore(await openLmdbEventStore(join(directory, 'log')), FACT_SHAPES, ROOM_PARTS);
    const readModels = await openLmdbReadModels(join(directory, 'views'));
    const clock = systemClock;
    const ports = { store, readModels, projectors: listProjectors(), listeners: [], effects: [], clock };
    const views = new ProjectionRuntime(ports);
    await views.start();
    const snapshots = new RoomSnapshots(store, readModels, (_, error) => {
      throw error;
    });
    const workers = new RoomWorkers({ store, snapshots, views, author: AUTHOR, clock });
    const merging = new ExtremityMerging(workers, views, AUTHOR, clock);
    return new ReceivingServer(new Receiving(workers, keys, NOBODY_ASKED, allowAll), workers, merging, async () => {
      await workers.close();
      await views.stop();
      await store.close();
      await readModels.close();
      rmSync(directory, { recursive: true, force: true });
    });
  }

  /** Takes in a room from its create event on. */
  async takeIn({ roomId, version }: MemoryRoom, origin: ServerName, pdus: readonly ForeignPdu[]): Promise<void> {
    const [create] = pdus;
    const begin = new TakeInRoom(origin, roomId, version, create!.text);
    await new TakeInRoomHandler(this.workers, this.receiving).execute(begin);
    await this.receive({ roomId }, origin, pdus);
  }

  /** Receives events as one transaction. Throws unless all of them are in the room then. */
  async receive(
    { roomId }: Pick<MemoryRoom, 'roomId'>,
    origin: ServerName,
    pdus: readonly ForeignPdu[],
  ): Promise<void> {
    const texts = pdus.map(({ text }) => text);
    const handler = new ReceivePdusHandler(this.receiving, this.merging);
    const { received } = await handler.execute(new ReceivePdus(origin, roomId, texts));
    const other = received.find(({ kind }) => kind !== 'accepted' && kind !== 'known');
    if (other !== undefined) throw new Error(`an event is ${other.kind}`);
  }

  close(): Promise<void> {
    return this.closeStores();
  }
}
