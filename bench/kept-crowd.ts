import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { accountsProjector } from '#accounts/projections/accounts.projector';
import { KeptPresence } from '#ephemeral/presence/kept-presence';
import { presenceProjector } from '#ephemeral/projections/presence.projector';
import { openLmdbEventStore } from '#event-store/lmdb/lmdb-event-store';
import { sealFacts } from '#event-store/seal-facts';
import { TodaysEventStore } from '#event-store/todays-event-store';
import { systemClock } from '#kernel/clock';
import type { UserId } from '#kernel/ids';
import { userStream } from '#kernel/user-stream';
import { FACT_SHAPES } from '#processes/fact-shapes';
import { ProjectionRuntime } from '#projections/projection-runtime';
import { openLmdbReadModels } from '#read-models/lmdb/lmdb-read-model-store';
import { ROOM_PARTS } from '#rooms/facts/told-in-parts';

const AT_ONCE = 64;

/** Where the presence of a crowd is kept: a log and views in LMDB, in which each of them has an account. */
export interface KeptCrowd {
  readonly kept: KeptPresence;
  close(): Promise<void>;
}

export async function keepCrowd(users: readonly UserId[]): Promise<KeptCrowd> {
  const directory = mkdtempSync(join(tmpdir(), 'annals-bench-presence-'));
  const store = new TodaysEventStore(await openLmdbEventStore(join(directory, 'log')), FACT_SHAPES, ROOM_PARTS);
  const readModels = await openLmdbReadModels(join(directory, 'views'));
  const projectors = [accountsProjector, presenceProjector];
  const views = new ProjectionRuntime({ store, readModels, projectors, listeners: [], clock: systemClock });
  await views.start();
  for (let from = 0; from < users.length; from += AT_ONCE) {
    await Promise.all(
      users.slice(from, from + AT_ONCE).map((userId) => {
        const registered = { id: randomUUID(), type: 'account-registered', data: '{"via":"open"}' };
        const facts = sealFacts(undefined, [{ ...registered, at: Date.now(), actor: userId }]);
        return store.append(userStream(userId), 'no-stream', facts);
      }),
    );
  }
  await views.whenProcessed(await store.head());
  return {
    kept: new KeptPresence(store, systemClock, views),
    async close() {
      await views.stop();
      await store.close();
      await readModels.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
