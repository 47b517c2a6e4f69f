import { copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { openLmdbEventStore } from '#event-store/lmdb/lmdb-event-store';
import { findLogIdentity, noteRestored } from '#event-store/log-identity';
import { findWriter } from '#event-store/lmdb/writer-lock';
import { systemClock } from '#kernel/clock';
import type { Config } from '#config/config';
import { CliFailure, EXIT, type ExitCode, messageOf } from '../failure.js';
import type { Installation } from '../installation.js';
import type { Terminal } from '../terminal/terminal.js';
import { moment } from '../terminal/units.js';
import { checkFiles, type Manifest, readManifest } from './manifest.js';

/** What a data folder has that a restoration takes the place of. */
const REPLACED = ['log', 'keys', 'views'] as const;

/**
 * Makes of a backup the data of a server that does not run. A folder that holds data already is only touched with `replace`;
 * what it held is kept beside. Nothing is in its place before all of the backup has been checked and copied.
 */
export async function runRestore(
  installation: Installation,
  terminal: Terminal,
  source: string,
  { replace }: { readonly replace: boolean },
): Promise<ExitCode> {
  const { config } = installation;
  const from = resolve(source);
  const manifest = readManifest(from);
  checkIsOurs(config, manifest);
  await checkStopped(installation);
  const { dataDir } = config;
  const present = REPLACED.filter((name) => isFilled(join(dataDir, name)));
  if (present.length > 0 && !replace) {
    throw new CliFailure(
      `${dataDir} holds data (${present.join(', ')}): name an empty data folder, or restore with --replace`,
      EXIT.found,
    );
  }
  checkFiles(from, manifest);
  const partial = join(dataDir, `restoring-${process.pid}`);
  try {
    await prepare(from, partial, manifest);
    const kept = setAside(dataDir);
    for (const name of ['keys', 'log']) renameSync(join(partial, name), join(dataDir, name));
    await tell(terminal, manifest, dataDir, kept);
    return EXIT.ok;
  } catch (error) {
    if (error instanceof CliFailure) throw error;
    throw new CliFailure(`the backup could not be restored: ${messageOf(error)}`);
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
}

function checkIsOurs(config: Config, { server_name: server }: Manifest): void {
  if (config.eventStoreUrl !== undefined) {
    throw new CliFailure(
      'the log of this configuration is in an event store: restore it by its own means',
      EXIT.config,
    );
  }
  if (config.isServerNameDefault || config.serverName === server) return;
  throw new CliFailure(`ANNALS_SERVER_NAME is ${config.serverName}, but the backup is that of ${server}`, EXIT.config);
}

async function checkStopped({ config, connect }: Installation): Promise<void> {
  const client = await connect();
  client?.close();
  const log = join(config.dataDir, 'log');
  if (client === undefined && (!existsSync(log) || (await findWriter(log)) === undefined)) return;
  throw new CliFailure(`${config.dataDir}: the server is running: stop it first`, EXIT.found);
}

function isFilled(directory: string): boolean {
  return existsSync(directory) && readdirSync(directory).some((name) => !name.endsWith('.sock'));
}

/** Copies the backup beside its place and checks what has arrived; the log then notes that it was restored. */
async function prepare(from: string, partial: string, manifest: Manifest): Promise<void> {
  mkdirSync(partial, { recursive: true, mode: 0o700 });
  for (const folder of ['log', 'keys']) mkdirSync(join(partial, folder), { mode: 0o700 });
  for (const { path } of manifest.files) copyFileSync(join(from, path), join(partial, path));
  checkFiles(partial, manifest);
  const log = join(partial, 'log');
  const store = await openLmdbEventStore(log);
  try {
    const identity = await findLogIdentity(store);
    if (identity?.logId !== manifest.log_id || (await store.head()) !== manifest.head) {
      throw new CliFailure('the log in the backup is not the one that its manifest names', EXIT.found);
    }
    await noteRestored(store, systemClock);
  } finally {
    await store.close();
  }
  for (const name of readdirSync(log)) if (name !== 'data.mdb') rmSync(join(log, name), { force: true });
}

/** Views can be made anew at any time; the rest is moved to where nobody looks for it. Answers where. */
function setAside(dataDir: string): string | undefined {
  rmSync(join(dataDir, 'views'), { recursive: true, force: true });
  const kept = join(dataDir, `replaced-${moment(systemClock.now()).replaceAll(':', '')}`);
  let isNeeded = false;
  for (const name of ['log', 'keys']) {
    const path = join(dataDir, name);
    if (isFilled(path)) {
      mkdirSync(kept, { recursive: true, mode: 0o700 });
      renameSync(path, join(kept, name));
      isNeeded = true;
    } else rmSync(path, { recursive: true, force: true });
  }
  return isNeeded ? kept : undefined;
}

async function tell(terminal: Terminal, manifest: Manifest, dataDir: string, kept: string | undefined): Promise<void> {
  const { server_name: server, head, made_at: madeAt } = manifest;
  await terminal.line(`${dataDir}: the log of ${server} as of ${moment(madeAt)}, up to position ${head}`);
  terminal.note('the next start rebuilds the views from it');
  if (kept !== undefined) terminal.note(`what was there before is in ${kept}: delete it when all is well`);
}
