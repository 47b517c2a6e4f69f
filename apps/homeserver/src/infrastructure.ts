import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '#config/config';
import { ConfigError } from '#config/config-error';
import type { EventStore } from '#event-store/event-store';
import { EventStoreMisconfigured } from '#event-store/event-store-errors';
import { giveToOwner } from '#event-store/give-to-owner';
import type { OutageWatch } from '#kernel/outage';
import { ViewsMisconfigured } from '#read-models/read-model-errors';
import type { ReadModelStore } from '#read-models/read-model-store';
import { nameHolder } from './name-holder.js';

/** Who hears of a log on a server that is not there, is lost, is back, and was put back; and of any that is damaged. */
export interface LogWatch extends OutageWatch {
  onWaiting(reason: string): void;
  onPutBack(error: Error): void;
  onDamage(damage: Error): void;
  /** Commits have waited for too long for another process to open it. */
  onHeldTooLong(message: string): void;
}

/**
 * Opens the log that the configuration names. The adapter is loaded only where it is used. A server that is not there yet is
 * waited for where somebody watches. Throws ConfigError where waiting would not help.
 */
export async function openEventStore(config: Config, watch?: LogWatch): Promise<EventStore> {
  if (config.eventStoreUrl !== undefined) {
    const { openKurrentEventStore } = await import('#event-store/kurrentdb/kurrentdb-event-store');
    const namespace = config.eventStoreNamespace;
    const waiting = watch === undefined ? {} : { waitMs: Infinity, ...watch };
    try {
      return await openKurrentEventStore(config.eventStoreUrl, { namespace, ...waiting });
    } catch (error) {
      throw error instanceof EventStoreMisconfigured ? new ConfigError(error.message) : error;
    }
  }
  const { openLmdbEventStore } = await import('#event-store/lmdb/lmdb-event-store');
  return openLmdbEventStore(makeDirectory(config, 'log'), watch);
}

/** Who hears of views on a server that are not there or gone for good, of any that are lost and are back, and of embedded ones that were thrown away. */
export interface ViewsWatch extends OutageWatch {
  onWaiting(reason: string): void;
  onGone(error: Error): void;
  onThrownAway(message: string): void;
  onHeldTooLong(message: string): void;
}

/** Opens the views that the configuration names. They are waited for, and it throws, as `openEventStore`. */
export async function openReadModels(config: Config, watch?: ViewsWatch): Promise<ReadModelStore> {
  if (config.readModelsUrl !== undefined) {
    const { openMongoReadModels } = await import('#read-models/mongodb/mongodb-read-model-store');
    // Who watches is the server, which has the lock of its data folder.
    const waiting = watch === undefined ? {} : { waitMs: Infinity, holder: nameHolder(config.dataDir), ...watch };
    try {
      return await openMongoReadModels(config.readModelsUrl, waiting);
    } catch (error) {
      throw error instanceof ViewsMisconfigured ? new ConfigError(error.message) : error;
    }
  }
  const { openLmdbReadModels } = await import('#read-models/lmdb/lmdb-read-model-store');
  return openLmdbReadModels(makeDirectory(config, 'views'), { ...watch, log: watch?.onThrownAway });
}

/** Makes a directory within the data directory, for nobody else to read. Answers its path. */
export function makeDirectory(config: Pick<Config, 'dataDir'>, name: string): string {
  const path = join(config.dataDir, name);
  if (mkdirSync(path, { recursive: true, mode: 0o700 }) !== undefined) giveToOwner(path);
  return path;
}
