import type { Config } from '#config/config';
import type { EventStore } from '#event-store/event-store';
import type { ReadModelStore } from '#read-models/read-model-store';
import { openEventStore, openReadModels } from '#homeserver/infrastructure';
import { CliFailure, messageOf } from './failure.js';
import { logDirectory } from './installation.js';

/** Opens the views as well, once; closed together with the log. */
export type OpenReadModels = () => Promise<ReadModelStore>;

/**
 * Works on the stores of a stopped server, with the right to write: as the server itself would, so that it cannot start
 * meanwhile. Throws CliFailure where a process holds that right, or where there is no log (unless `mayCreate`).
 */
export async function openToWrite<T>(
  config: Config,
  work: (store: EventStore, openViews: OpenReadModels) => Promise<T>,
  mayCreate = false,
): Promise<T> {
  if (config.eventStoreUrl === undefined && !mayCreate) logDirectory(config);
  const store = await opened(() => openEventStore(config));
  let readModels: ReadModelStore | undefined;
  try {
    return await work(store, async () => (readModels ??= await opened(() => openReadModels(config))));
  } finally {
    await readModels?.close();
    await store.close();
  }
}

async function opened<S>(open: () => Promise<S>): Promise<S> {
  try {
    return await open();
  } catch (error) {
    throw new CliFailure(`cannot open the data of the server: ${messageOf(error)}`);
  }
}
