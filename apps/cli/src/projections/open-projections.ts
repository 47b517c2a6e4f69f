import { join } from 'node:path';
import type { Config } from '#config/config';
import type { EventStore } from '#event-store/event-store';
import { systemClock } from '#kernel/clock';
import type { ControlClient } from '#projections/control-client';
import { ProjectionRuntime } from '#projections/projection-runtime';
import { ProjectionCommandRefused } from '#projections/rebuild-control';
import { StoredProjections } from '#projections/stored-projections';
import { hasViews } from '#read-models/lmdb/views-folders';
import type { ReadModelStore } from '#read-models/read-model-store';
import { listProjectors } from '#homeserver/projectors';
import { CliFailure, EXIT } from '../failure.js';
import type { Installation } from '../installation.js';
import { openToWrite } from '../open-to-write.js';
import type { Terminal } from '../terminal/terminal.js';
import { type ProjectionsToRead, type ProjectionsToSteer, RemoteProjections } from './remote-projections.js';

/** The projections of a running server, or what is stored of them where none runs. */
export async function readProjections<T>(
  installation: Installation,
  work: (projections: ProjectionsToRead, isRunning: boolean) => Promise<T>,
): Promise<T> {
  const client = await installation.connect();
  if (client !== undefined) return overSocket(client, work);
  const store = await installation.openLogToRead();
  let readModels: ReadModelStore | undefined;
  try {
    readModels = await openViewsToRead(installation.config);
    return await toldAsFailure(async () =>
      work(await StoredProjections.read(store, readModels, listProjectors()), false),
    );
  } finally {
    await readModels?.close();
    await store.close();
  }
}

/**
 * The projections of a running server to steer; where none runs, those of its data folder: `how` says whether they are run
 * for it (`start`: they catch up first) or only take note for the next start of the server (`load`).
 */
export async function steerProjections<T>(
  installation: Installation,
  terminal: Terminal,
  how: 'load' | 'start',
  work: (projections: ProjectionsToSteer, isRunning: boolean) => Promise<T>,
): Promise<T> {
  const client = await installation.connect();
  if (client !== undefined) return overSocket(client, work);
  return withStoppedProjections(installation, terminal, async (runtime) => {
    await runtime[how]();
    return work(runtime.operations, false);
  });
}

async function overSocket<T>(
  client: ControlClient,
  work: (projections: RemoteProjections, isRunning: boolean) => Promise<T>,
): Promise<T> {
  try {
    return await work(new RemoteProjections(client), true);
  } finally {
    client.close();
  }
}

/** A runtime over the data folder of a stopped server, not begun yet. */
export function withStoppedProjections<T>(
  { config }: Installation,
  terminal: Terminal,
  work: (runtime: ProjectionRuntime, readModels: ReadModelStore, store: EventStore) => Promise<T>,
): Promise<T> {
  return openToWrite(config, async (store, openReadModels) => {
    const readModels = await openReadModels();
    const say = (message: string): void => terminal.note(message);
    const runtime = new ProjectionRuntime({
      store,
      readModels,
      projectors: listProjectors(),
      listeners: [],
      clock: systemClock,
      log: { info: () => {}, warn: say, error: say },
    });
    try {
      return await toldAsFailure(() => work(runtime, readModels, store));
    } finally {
      await runtime.stop();
    }
  });
}

async function toldAsFailure<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ProjectionCommandRefused) throw new CliFailure(error.message, EXIT.found);
    throw error;
  }
}

/** Undefined where nothing was ever projected. */
async function openViewsToRead(config: Config): Promise<ReadModelStore | undefined> {
  if (config.readModelsUrl !== undefined) {
    const { openMongoReadModels } = await import('#read-models/mongodb/mongodb-read-model-store');
    return openMongoReadModels(config.readModelsUrl, { readOnly: true });
  }
  const directory = join(config.dataDir, 'views');
  if (!hasViews(directory)) return undefined;
  const { openLmdbReadModels } = await import('#read-models/lmdb/lmdb-read-model-store');
  return openLmdbReadModels(directory, { readOnly: true });
}
