import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '#config/config';
import { ConfigError } from '#config/config-error';
import { readConfig } from '#config/read-config';
import type { EventStore } from '#event-store/event-store';
import { EventStoreMisconfigured, LogOfAnotherVersion } from '#event-store/event-store-errors';
import type { ControlClient } from '#projections/control-client';
import { CliFailure, EXIT } from './failure.js';
import { messageOf } from '#kernel/message-of';

/** What the server names its socket within the data folder. */
export const CONTROL_SOCKET = 'control.sock';

/** The file of the log within `log/`: where there is none, nothing was ever written. */
export const LOG_FILE = 'data.mdb';

/** How long an event store may be silent: an operator waits. */
const PATIENCE_MS = 10_000;

/** The server a command is about: its configuration and its data folder, whether it runs or not. */
export interface Installation {
  readonly config: Config;
  /** A connection to the running server; undefined where none runs. To be closed. */
  connect(): Promise<ControlClient | undefined>;
  /**
   * The log for reading only, also beside a running server. Throws CliFailure where there is none, or where it is another
   * server's. To be closed.
   */
  openLogToRead(): Promise<EventStore>;
  /** As `openLogToRead`, whosever it is, and each fact in the shape that it was written in. */
  openAnyLogToRead(): Promise<EventStore>;
}

/**
 * Reads the configuration as the server does; `dataDir` (the option `--data`) wins over it. Throws CliFailure for what is
 * wrong in it.
 */
export function findInstallation(dataDir?: string, env: NodeJS.ProcessEnv = process.env): Installation {
  const config = readOrFail(dataDir === undefined ? env : { ...env, ANNALS_DATA_DIR: dataDir });
  return {
    config,
    connect: () => connect(config),
    openLogToRead: () => openOwnLogToRead(config),
    openAnyLogToRead: () => openLogToRead(config),
  };
}

function readOrFail(env: NodeJS.ProcessEnv): Config {
  try {
    return readConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) throw new CliFailure(error.message, EXIT.config);
    throw error;
  }
}

async function connect(config: Config): Promise<ControlClient | undefined> {
  if (!existsSync(config.dataDir)) return undefined;
  const { connectControl } = await import('#projections/control-client');
  const path = join(config.dataDir, CONTROL_SOCKET);
  try {
    return await connectControl(path);
  } catch (error) {
    throw new CliFailure(`${path}: the running server cannot be reached: ${messageOf(error)}`);
  }
}

async function openOwnLogToRead(config: Config): Promise<EventStore> {
  const store = await openLogToRead(config);
  try {
    const { checkOwner } = await import('./check-owner.js');
    await checkOwner(store, config);
    const { TodaysEventStore } = await import('#event-store/todays-event-store');
    const { FACT_SHAPES } = await import('#processes/fact-shapes');
    const { ROOM_PARTS } = await import('#rooms/facts/told-in-parts');
    return new TodaysEventStore(store, FACT_SHAPES, ROOM_PARTS);
  } catch (error) {
    await store.close();
    throw error;
  }
}

async function openLogToRead(config: Config): Promise<EventStore> {
  if (config.eventStoreUrl !== undefined) {
    const { openKurrentEventStore } = await import('#event-store/kurrentdb/kurrentdb-event-store');
    try {
      return await openKurrentEventStore(config.eventStoreUrl, {
        namespace: config.eventStoreNamespace,
        patienceMs: PATIENCE_MS,
      });
    } catch (error) {
      const exitCode = error instanceof EventStoreMisconfigured ? EXIT.config : EXIT.failed;
      throw new CliFailure(messageOf(error), exitCode);
    }
  }
  const directory = logDirectory(config);
  const { openLmdbEventStore } = await import('#event-store/lmdb/lmdb-event-store');
  try {
    return await openLmdbEventStore(directory, { readOnly: true });
  } catch (error) {
    const exitCode = error instanceof LogOfAnotherVersion ? EXIT.config : EXIT.failed;
    throw new CliFailure(`${directory}: the log cannot be opened: ${messageOf(error)}`, exitCode);
  }
}

/** The folder of the embedded log. Throws CliFailure where there is no log in it. */
export function logDirectory(config: Config): string {
  const directory = join(config.dataDir, 'log');
  if (!existsSync(join(directory, LOG_FILE))) {
    throw new CliFailure(
      `${config.dataDir}: there is no log here; name the data folder with --data or ANNALS_DATA_DIR`,
    );
  }
  return directory;
}
