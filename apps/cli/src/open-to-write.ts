import { setTimeout as delay } from 'node:timers/promises';
import type { Config } from '#config/config';
import { ConfigError } from '#config/config-error';
import type { EventStore } from '#event-store/event-store';
import { TodaysEventStore } from '#event-store/todays-event-store';
import { FACT_SHAPES } from '#processes/fact-shapes';
import { ROOM_PARTS } from '#rooms/facts/told-in-parts';
import type { ReadModelStore } from '#read-models/read-model-store';
import { openEventStore, openReadModels } from '#homeserver/infrastructure';
import { checkOwner } from './check-owner.js';
import { CliFailure, EXIT } from './failure.js';
import { messageOf } from '#kernel/message-of';
import { logDirectory } from './installation.js';

const LEASE_WAIT_MS = 10_000;
const LEASE_LOOK_MS = 500;

/** Opens the views as well, once; closed together with the log. */
export type OpenReadModels = () => Promise<ReadModelStore>;

/**
 * Works on the stores of a stopped server, with the right to write: as the server itself would, so that it cannot start
 * meanwhile. Throws CliFailure where a process holds that right, where there is no log, or where it is another server's.
 */
export async function openToWrite<T>(
  config: Config,
  work: (store: EventStore, openViews: OpenReadModels) => Promise<T>,
): Promise<T> {
  if (config.eventStoreUrl === undefined) logDirectory(config);
  const store = await opened(() => openEventStore(config));
  let readModels: ReadModelStore | undefined;
  try {
    await checkOwner(store, config);
    return await work(new TodaysEventStore(store, FACT_SHAPES, ROOM_PARTS), async () => {
      if (readModels !== undefined) return readModels;
      readModels = await opened(() => openReadModels(config));
      await takeLease(readModels);
      return readModels;
    });
  } finally {
    await readModels?.close();
    await store.close();
  }
}

/** A server that was killed counts as there for some seconds. */
async function takeLease(readModels: ReadModelStore): Promise<void> {
  const deadline = performance.now() + LEASE_WAIT_MS;
  while (!(await readModels.takeLease())) {
    if (performance.now() > deadline) {
      throw new CliFailure('a server writes to the database of the views: stop it first, or run this beside it');
    }
    await delay(LEASE_LOOK_MS);
  }
}

/** Opens something, or throws CliFailure. */
export async function opened<S>(open: () => Promise<S>): Promise<S> {
  try {
    return await open();
  } catch (error) {
    if (error instanceof ConfigError) throw new CliFailure(error.message, EXIT.config);
    throw new CliFailure(`cannot open the data of the server: ${messageOf(error)}`);
  }
}
