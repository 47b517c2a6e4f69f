import { copyFileSync, existsSync, lchownSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { addToErasureList, erasureListIn, readErasureList } from '#admin/erasures/erasure-list';
import { giveToOwner } from '#event-store/give-to-owner';
import { openLmdbEventStore } from '#event-store/lmdb/lmdb-event-store';
import { findLogIdentity, noteRestored } from '#event-store/log-identity';
import { findWriter, takeWriterLock, type WriterLock } from '#event-store/lmdb/writer-lock';
import { RESTORING } from '#homeserver/open-own-log';
import { findSigningKey } from '#homeserver/signing-key-file';
import { syncDirectory } from '#event-store/sync-directory';
import { systemClock } from '#kernel/clock';
import type { Config } from '#config/config';
import { CliFailure, EXIT, type ExitCode } from '../failure.js';
import { messageOf } from '#kernel/message-of';
import type { Installation } from '../installation.js';
import type { Terminal } from '../terminal/terminal.js';
import { counted, moment } from '../terminal/units.js';
import { MEDIA_FOLDER } from '#media/media-folder';
import { countLacked } from '../erasures/run-erasures.js';
import { takeContent } from './media-files.js';
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
  checkIsWhole(from, manifest);
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
  const lock = await keepStopped(dataDir);
  try {
    const partial = makePartial(dataDir);
    await prepare(from, partial, manifest);
    const isWithMedia = gatherMedia(from, dataDir, partial, terminal);
    addToErasureList(erasureListIn(dataDir), readErasureList(erasureListIn(from)));
    giveAllToOwner(partial, dataDir);
    const kept = setAside(dataDir);
    for (const name of ['keys', ...(isWithMedia ? [MEDIA_FOLDER] : []), 'log'])
      renameSync(join(partial, name), join(dataDir, name));
    syncDirectory(dataDir);
    await tell(terminal, manifest, dataDir, kept);
    await tellErasures(terminal, dataDir);
    return EXIT.ok;
  } catch (error) {
    if (error instanceof CliFailure) throw error;
    throw new CliFailure(`the backup could not be restored: ${messageOf(error)}`);
  } finally {
    removePartials(dataDir);
    await lock?.release();
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

/** In place of what was lost it would be found damaged again, by a start or by whoever asks for that part. */
function checkIsWhole(from: string, { damage }: Manifest): void {
  if (damage === undefined) return;
  throw new CliFailure(
    `the log in ${from} was damaged when it was backed up (${damage}): restore a backup that was made before`,
    EXIT.found,
  );
}

async function checkStopped({ config, connect }: Installation): Promise<void> {
  const client = await connect();
  client?.close();
  const log = join(config.dataDir, 'log');
  if (client === undefined && (!existsSync(log) || (await findWriter(log)) === undefined)) return;
  throw isRunning(config.dataDir);
}

/**
 * Holds the log that is replaced, so that no server starts upon it meanwhile: what it said would be lost with it. Where there
 * is none, or none any more, the folder that the backup is copied to keeps servers from starting.
 */
async function keepStopped(dataDir: string): Promise<WriterLock | undefined> {
  const log = join(dataDir, 'log');
  if (!existsSync(log)) return undefined;
  try {
    return await takeWriterLock(log);
  } catch {
    throw isRunning(dataDir);
  }
}

function isRunning(dataDir: string): CliFailure {
  return new CliFailure(`${dataDir}: the server is running: stop it first`, EXIT.found);
}

/** What a restoration that was interrupted has left is of no use any more. */
function removePartials(dataDir: string): void {
  if (!existsSync(dataDir)) return;
  for (const name of readdirSync(dataDir)) {
    if (name.startsWith(RESTORING)) rmSync(join(dataDir, name), { recursive: true, force: true });
  }
}

function makePartial(dataDir: string): string {
  removePartials(dataDir);
  const partial = join(dataDir, `${RESTORING}${process.pid}`);
  mkdirSync(partial, { recursive: true, mode: 0o700 });
  return partial;
}

function isFilled(directory: string): boolean {
  return existsSync(directory) && readdirSync(directory).some((name) => !name.endsWith('.sock'));
}

/** Copies the backup beside its place and checks what has arrived; the log then notes that it was restored. */
async function prepare(from: string, partial: string, manifest: Manifest): Promise<void> {
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
  for (const folder of ['log', 'keys', '']) syncDirectory(join(partial, folder));
}

/**
 * Puts together the content of the backup, and what is here besides: of that the next start removes what the log does not know. Answers
 * whether there is any.
 */
function gatherMedia(from: string, dataDir: string, partial: string, terminal: Terminal): boolean {
  const target = join(partial, MEDIA_FOLDER);
  const { damaged } = takeContent(join(from, MEDIA_FOLDER), target, { link: false });
  if (damaged > 0) terminal.note(`${counted(damaged, 'file')} of media in the backup are not what was written`);
  takeContent(join(dataDir, MEDIA_FOLDER), target, { link: true });
  return existsSync(target);
}

/** Root restores for the user whose folder it is: a server of that user has to read it. */
function giveAllToOwner(partial: string, dataDir: string): void {
  const { uid, gid } = statSync(dataDir);
  if (process.geteuid?.() !== 0 || uid === 0) return;
  for (const name of readdirSync(partial, { recursive: true, encoding: 'utf8' }))
    lchownSync(join(partial, name), uid, gid);
}

/** Views can be made anew at any time; the rest is moved to where nobody looks for it. Answers where. */
function setAside(dataDir: string): string | undefined {
  rmSync(join(dataDir, 'views'), { recursive: true, force: true });
  const kept = join(dataDir, `replaced-${moment(systemClock.now()).replaceAll(':', '')}`);
  let isNeeded = false;
  for (const name of ['log', 'keys', MEDIA_FOLDER]) {
    const path = join(dataDir, name);
    if (isFilled(path)) {
      mkdirSync(kept, { recursive: true, mode: 0o700 });
      giveToOwner(kept);
      renameSync(path, join(kept, name));
      isNeeded = true;
      // The socket by which this process holds it has moved along.
      for (const file of readdirSync(join(kept, name))) if (file.endsWith('.sock')) rmSync(join(kept, name, file));
    } else rmSync(path, { recursive: true, force: true });
  }
  if (isNeeded) syncDirectory(kept);
  return isNeeded ? kept : undefined;
}

async function tell(terminal: Terminal, manifest: Manifest, dataDir: string, kept: string | undefined): Promise<void> {
  const { server_name: server, head, made_at: madeAt } = manifest;
  await terminal.line(`${dataDir}: the log of ${server} as of ${moment(madeAt)}, up to position ${head}`);
  terminal.note('the next start rebuilds the views from it');
  if (kept === undefined) return;
  terminal.note(`what was there before is in ${kept}: delete it when all is well`);
  const replaced = findKeyId(kept);
  if (replaced === undefined || replaced === findKeyId(dataDir)) return;
  terminal.note(
    `the key there was another one, ${replaced}. Where it is the newer one other servers take nothing that is signed with that of ` +
      `the backup: put ${join(kept, 'keys')} in the place of ${join(dataDir, 'keys')}, and run annals keys accept`,
  );
}

/** Whoever was erased since the backup is in it again: the list in the data folder stays, and the next start goes by it. */
async function tellErasures(terminal: Terminal, dataDir: string): Promise<void> {
  const store = await openLmdbEventStore(join(dataDir, 'log'), { readOnly: true });
  const lacked = await countLacked(dataDir, store).finally(() => store.close());
  const again = 'the next start has done again what was ordered';
  if (lacked > 0)
    terminal.note(`this log does not know ${counted(lacked, 'erasure')} of ${erasureListIn(dataDir)}: ${again}`);
  else
    terminal.note('it knows of all erasures that are listed here; others are to be told it by "annals erasures apply"');
}

/** Of what cannot be read nothing is to be said. */
function findKeyId(folder: string): string | undefined {
  try {
    return findSigningKey(join(folder, 'keys'))?.keyId;
  } catch {
    return undefined;
  }
}
