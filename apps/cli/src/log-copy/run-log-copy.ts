import { join, resolve } from 'node:path';
import type { EventStore } from '#event-store/event-store';
import { EventStoreMisconfigured, LogDamaged } from '#event-store/event-store-errors';
import { parseServerAddress } from '#event-store/kurrentdb/server-address';
import { syncDirectory } from '#event-store/sync-directory';
import { systemClock } from '#kernel/clock';
import { copyKeys } from '../backup/copy-keys.js';
import { checkOwner } from '../check-owner.js';
import { CliFailure, EXIT, type ExitCode } from '../failure.js';
import { messageOf } from '#kernel/message-of';
import type { Installation } from '../installation.js';
import { Progress } from '../terminal/progress.js';
import type { Terminal } from '../terminal/terminal.js';
import { counted } from '../terminal/units.js';
import { copyLog } from './copy-log.js';

/** For how long an event store may be silent. */
const PATIENCE_MS = 60_000;

/** Where a log is copied to. */
interface Place {
  readonly name: string;
  /** As CopyLogOptions. */
  readonly atOnce: number;
  open(): Promise<EventStore>;
  /** What belongs beside the log. */
  finish(): void;
  readonly settings: string;
}

/**
 * Copies the log of a server to another store: the address of an event store, or a data folder. It may run meanwhile; then what it
 * writes is copied by another run, once it has stopped.
 */
export async function runLogCopy(
  installation: Installation,
  terminal: Terminal,
  { target, namespace, signal }: { readonly target: string; readonly namespace: string; readonly signal: AbortSignal },
): Promise<ExitCode> {
  const place = placeOf(installation, target, namespace);
  const source = await openSource(installation);
  try {
    const copy = await opened(place);
    const progress = new Progress(terminal, 'copying');
    try {
      let done = 0;
      const onFact = (): void => progress.show({ done: ++done, of: undefined });
      const { logId, copied, there, head } = await copyLog({
        source,
        target: copy,
        name: place.name,
        atOnce: place.atOnce,
        clock: systemClock,
        signal,
        onFact,
      });
      place.finish();
      progress.finish();
      const before = there === 0 ? '' : `, beside ${counted(there, 'fact')} that were there`;
      await terminal.line(
        `${place.name}: ${counted(copied, 'fact')} copied${before}, up to position ${head}: log ${logId}`,
      );
      await warnOfServer(installation, terminal);
      terminal.note(`a server uses the copy with ${place.settings}, and makes its views anew`);
      return EXIT.ok;
    } finally {
      progress.finish();
      await copy.close();
    }
  } catch (error) {
    if (error instanceof CliFailure) throw error;
    const why = `the log could not be copied: ${messageOf(error)}`;
    // What was damaged is so the next time, too.
    if (error instanceof LogDamaged) throw new CliFailure(`${why}; "annals verify" tells more`, EXIT.found);
    throw new CliFailure(`${why}; run it again to go on`);
  } finally {
    await source.close();
  }
}

/** The server's own log, with each fact as it was written: that is what its chain is of, and what the copy is to have. */
async function openSource({ config, openAnyLogToRead }: Installation): Promise<EventStore> {
  const store = await openAnyLogToRead();
  try {
    await checkOwner(store, config);
    return store;
  } catch (error) {
    await store.close();
    throw error;
  }
}

async function warnOfServer({ connect }: Installation, terminal: Terminal): Promise<void> {
  const client = await connect();
  client?.close();
  if (client !== undefined)
    terminal.note('the server is running: what it writes from now on is not in the copy; stop it and run this again');
}

function placeOf({ config }: Installation, target: string, namespace: string): Place {
  if (/^[a-z+]+:\/\//.test(target)) return serverPlace(config, target, namespace);
  const directory = resolve(target);
  const log = join(directory, 'log');
  const isOwn = directory === resolve(config.dataDir);
  if (isOwn && config.eventStoreUrl === undefined)
    throw new CliFailure(`${log} is the log itself: name another place`, EXIT.found);
  return {
    name: log,
    atOnce: 64,
    open: async () => {
      const { openLmdbEventStore } = await import('#event-store/lmdb/lmdb-event-store');
      return openLmdbEventStore(log);
    },
    finish: () => {
      if (!isOwn) copyKeys(join(config.dataDir, 'keys'), join(directory, 'keys'));
      for (const path of [log, directory]) syncDirectory(path);
    },
    settings: `ANNALS_DATA_DIR=${directory} and without ANNALS_EVENT_STORE_URL`,
  };
}

function serverPlace(config: Installation['config'], url: string, namespace: string): Place {
  if (url === config.eventStoreUrl && namespace === config.eventStoreNamespace)
    throw new CliFailure('that is the log itself: name another place, or another --namespace', EXIT.found);
  const { name } = parsed(url);
  return {
    name: `${namespace} on ${name}`,
    // Of appends to several streams at once the first may come last.
    atOnce: 1,
    open: async () => {
      const { openKurrentEventStore } = await import('#event-store/kurrentdb/kurrentdb-event-store');
      return openKurrentEventStore(url, { namespace, patienceMs: PATIENCE_MS, waitMs: 0 });
    },
    finish: () => {},
    settings: `ANNALS_EVENT_STORE_URL and ANNALS_EVENT_STORE_NAMESPACE=${namespace}`,
  };
}

function parsed(url: string): ReturnType<typeof parseServerAddress> {
  try {
    return parseServerAddress(url);
  } catch (error) {
    throw new CliFailure(messageOf(error), EXIT.config);
  }
}

async function opened(place: Place): Promise<EventStore> {
  try {
    return await place.open();
  } catch (error) {
    const exitCode = error instanceof EventStoreMisconfigured ? EXIT.config : EXIT.failed;
    throw new CliFailure(`${place.name} cannot be written: ${messageOf(error)}`, exitCode);
  }
}
