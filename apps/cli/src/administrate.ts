import { setTimeout as delay } from 'node:timers/promises';
import type { Config } from '#config/config';
import type { EventStore } from '#event-store/event-store';
import type { KeyedNames } from '#event-store/keyed-names';
import { WrittenByAnother } from '#event-store/lmdb/writer-lock';
import { openOwnLog, type OwnLog } from '#homeserver/open-own-log';
import { systemClock } from '#kernel/clock';
import type { ServerName } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { ControlClient } from '#projections/control-client';
import { CliFailure, EXIT } from './failure.js';
import type { Installation } from './installation.js';
import { opened } from './open-to-write.js';

/** How long a server may take to start, or to end. */
const PATIENCE_MS = 30_000;
const LOOK_AGAIN_MS = 200;

/** Who does what an operator asks for: the running server, or whoever writes the log of a stopped one. */
export interface Administrators<A> {
  readonly remote: (client: ControlClient) => A;
  readonly stopped: (store: EventStore, serverName: ServerName, names: KeyedNames) => A;
}

/** Has something done by the running server, or upon the log of a stopped one. Throws CliFailure for what is refused. */
export async function administrate<A, T>(
  { config, connect }: Installation,
  { remote, stopped }: Administrators<A>,
  work: (administration: A, isRunning: boolean) => Promise<T>,
): Promise<T> {
  const { client, own } = await reach(config, connect);
  if (client !== undefined) {
    try {
      return await work(remote(client), true);
    } finally {
      client.close();
    }
  }
  try {
    return await work(stopped(own.store, config.serverName, own.names), false);
  } catch (error) {
    if (error instanceof MatrixError) throw new CliFailure(error.message, EXIT.found, error.errcode);
    throw error;
  } finally {
    await own.store.close();
  }
}

type Reached =
  | { readonly client: ControlClient; readonly own?: undefined }
  | { readonly client?: undefined; readonly own: OwnLog };

/**
 * The running server, or else the log, also before the server has started for the first time: then this begins it. Waits while
 * another process holds the log and does not listen: a server that starts or drains, or another command like this.
 */
async function reach(config: Config, connect: Installation['connect']): Promise<Reached> {
  const start = performance.now();
  for (;;) {
    const client = await connect();
    if (client !== undefined) return { client };
    const own = await opened(() =>
      openOwnLog(config, systemClock).catch((error: unknown) => {
        if (error instanceof WrittenByAnother && performance.now() - start < PATIENCE_MS) return undefined;
        throw error;
      }),
    );
    if (own !== undefined) return { own };
    await delay(LOOK_AGAIN_MS);
  }
}
