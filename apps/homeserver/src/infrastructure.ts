import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '#config/config';
import type { EventStore } from '#event-store/event-store';
import type { ReadModelStore } from '#read-models/read-model-store';

/** Opens the log that the configuration names. The adapter is loaded only where it is used. */
export async function openEventStore(config: Config): Promise<EventStore> {
  if (config.eventStoreUrl !== undefined) {
    const { openKurrentEventStore } = await import('#event-store/kurrentdb/kurrentdb-event-store');
    return openKurrentEventStore(config.eventStoreUrl);
  }
  const { openLmdbEventStore } = await import('#event-store/lmdb/lmdb-event-store');
  return openLmdbEventStore(makeDirectory(config, 'log'));
}

/** Opens the views that the configuration names. */
export async function openReadModels(config: Config): Promise<ReadModelStore> {
  if (config.readModelsUrl !== undefined) {
    const { openMongoReadModels } = await import('#read-models/mongodb/mongodb-read-model-store');
    return openMongoReadModels(config.readModelsUrl);
  }
  const { openLmdbReadModels } = await import('#read-models/lmdb/lmdb-read-model-store');
  return openLmdbReadModels(makeDirectory(config, 'views'));
}

/** Makes a directory within the data directory, for nobody else to read. Answers its path. */
export function makeDirectory(config: Pick<Config, 'dataDir'>, name: string): string {
  const path = join(config.dataDir, name);
  mkdirSync(path, { recursive: true, mode: 0o700 });
  return path;
}
