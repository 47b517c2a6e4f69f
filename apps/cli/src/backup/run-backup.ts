import { existsSync, realpathSync, renameSync, rmdirSync, rmSync } from 'node:fs';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { copyLog } from '#event-store/lmdb/copy-log';
import { openLmdbEventStore } from '#event-store/lmdb/lmdb-event-store';
import { findLogIdentity, type LogIdentity } from '#event-store/log-identity';
import { syncDirectory } from '#homeserver/sync-directory';
import { systemClock } from '#kernel/clock';
import type { Position } from '#kernel/position';
import { CliFailure, EXIT, type ExitCode } from '../failure.js';
import { messageOf } from '#kernel/message-of';
import { type Installation, LOG_FILE, logDirectory } from '../installation.js';
import type { Terminal } from '../terminal/terminal.js';
import { counted, size } from '../terminal/units.js';
import { type Manifest, MANIFEST_FILE, writeManifest } from './manifest.js';
import { claimFolder } from './claim-folder.js';
import { copyKeys } from './copy-keys.js';

/**
 * Backs up the log and the keys into a folder, also beside a running server: all that was acknowledged before is in it. It is a
 * backup once its manifest is there, which comes last.
 */
export async function runBackup(installation: Installation, terminal: Terminal, target: string): Promise<ExitCode> {
  const { config } = installation;
  if (config.eventStoreUrl !== undefined) {
    throw new CliFailure(
      'the log is in an event store, which has to be backed up by its own means; back up keys/ beside it (docs/operations.md)',
    );
  }
  // Refuses what is not there, or another's.
  await (await installation.openLogToRead()).close();
  const directory = resolve(target);
  checkIsOutside(config.dataDir, directory);
  const { partial, isNew } = claimFolder(directory, terminal);
  try {
    const manifest = await write(config.dataDir, logDirectory(config), partial);
    for (const name of ['log', 'keys', MANIFEST_FILE]) renameSync(join(partial, name), join(directory, name));
    rmdirSync(partial);
    for (const path of [directory, dirname(directory)]) syncDirectory(path);
    await terminal.line(summaryOf(manifest, directory));
    return EXIT.ok;
  } catch (error) {
    rmSync(partial, { recursive: true, force: true });
    if (isNew) rmdirSync(directory);
    if (error instanceof CliFailure) throw error;
    throw new CliFailure(`the backup could not be made: ${messageOf(error)}`);
  }
}

/** A backup within what it is of would go with it: views are thrown away, a log is moved aside by `annals restore`. */
function checkIsOutside(dataDir: string, directory: string): void {
  const target = realPath(directory) + sep;
  const part = ['log', 'keys', 'views']
    .map((name) => realPath(join(dataDir, name)))
    .find((path) => target.startsWith(path + sep));
  if (part !== undefined)
    throw new CliFailure(`${directory} lies within ${part}, and would be lost with it: name another folder`);
}

/** A path without symbolic links, as far as it is there. */
function realPath(path: string): string {
  return existsSync(path) ? realpathSync(path) : join(realPath(dirname(path)), basename(path));
}

async function write(dataDir: string, logFolder: string, partial: string): Promise<Manifest> {
  const madeAt = systemClock.now();
  await copyLog(logFolder, join(partial, 'log'));
  const { identity, head } = await lookInto(join(partial, 'log'));
  // After the log: every key that it names is there by then.
  const keys = copyKeys(join(dataDir, 'keys'), join(partial, 'keys')).map((name) => `keys/${name}`);
  const about = { log_id: identity.logId, server_name: identity.serverName, head, made_at: madeAt };
  const manifest = writeManifest(partial, about, [`log/${LOG_FILE}`, ...keys]);
  for (const name of ['log', 'keys', '']) syncDirectory(join(partial, name));
  return manifest;
}

async function lookInto(copy: string): Promise<{ identity: LogIdentity; head: Position }> {
  const store = await openLmdbEventStore(copy, { readOnly: true });
  try {
    const identity = await findLogIdentity(store);
    if (identity === undefined) throw new CliFailure('the log does not say whose it is: run "annals verify"');
    return { identity, head: await store.head() };
  } finally {
    await store.close();
    // Of no use to anybody but those who read here just now.
    rmSync(join(copy, 'lock.mdb'), { force: true });
  }
}

function summaryOf({ server_name: server, head, files }: Manifest, directory: string): string {
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  const keys = counted(files.length - 1, 'key');
  return `${directory}: the log of ${server} up to position ${head} and ${keys}, ${size(bytes)}`;
}
