import { copyFileSync, existsSync, realpathSync, renameSync, rmdirSync, rmSync } from 'node:fs';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { ERASURE_LIST_FILE, erasureListIn } from '#admin/erasures/erasure-list';
import { LogDamaged } from '#event-store/event-store-errors';
import { copyLog } from '#event-store/lmdb/copy-log';
import { findDamage, LONGEST_LOOK } from '#event-store/lmdb/find-damage';
import { openLmdbEventStore } from '#event-store/lmdb/lmdb-event-store';
import { findWriter } from '#event-store/lmdb/writer-lock';
import { findLogIdentity, type LogIdentity } from '#event-store/log-identity';
import { syncDirectory } from '#event-store/sync-directory';
import { systemClock } from '#kernel/clock';
import type { Position } from '#kernel/position';
import { CliFailure, EXIT, type ExitCode } from '../failure.js';
import { messageOf } from '#kernel/message-of';
import { type Installation, LOG_FILE, logDirectory } from '../installation.js';
import type { Terminal } from '../terminal/terminal.js';
import { counted, size } from '../terminal/units.js';
import { type Manifest, MANIFEST_FILE, writeManifest } from './manifest.js';
import { MEDIA_FOLDER } from '#media/media-folder';
import { claimFolder } from './claim-folder.js';
import { copyKeys } from './copy-keys.js';
import { takeContent } from './media-files.js';

export interface BackupOptions {
  /** Looks through the log; tests give their own. */
  readonly damageProgram?: string;
  /** The content of media is backed up by other means. */
  readonly withoutMedia?: boolean;
}

/**
 * Backs up the log, the keys and the content of media into a folder, also beside a running server: all that was acknowledged before is in it. It is a
 * backup once its manifest is there, which comes last. Of a log that is damaged it copies what there is, says so, and ends with
 * `EXIT.found`.
 */
export async function runBackup(
  installation: Installation,
  terminal: Terminal,
  target: string,
  { damageProgram, withoutMedia = false }: BackupOptions = {},
): Promise<ExitCode> {
  const { config } = installation;
  if (config.eventStoreUrl !== undefined) {
    throw new CliFailure(
      'the log is in an event store, which has to be backed up by its own means; back up keys/ beside it (docs/operations.md)',
    );
  }
  const log = logDirectory(config);
  const look = (folder: string): string | undefined => {
    const damage = findDamage(folder, 'log', LONGEST_LOOK, damageProgram);
    if (damage !== undefined) terminal.note(adviceOn(damage));
    return damage;
  };
  // Before anything is read here, for that may end the process. What a server writes meanwhile only stands still in the copy.
  const isWritten = (await findWriter(log)) !== undefined;
  const before = isWritten ? undefined : look(log);
  // Refuses what is not there, or another's.
  await (await installation.openLogToRead()).close();
  const directory = resolve(target);
  checkIsOutside(config.dataDir, directory);
  const madeAt = systemClock.now();
  const { partial, isNew } = claimFolder(directory, terminal);
  try {
    await copyLog(log, join(partial, 'log'));
    const damage = isWritten ? look(join(partial, 'log')) : before;
    // After the log: what it says is there by then, or was deleted since.
    const isInBucket = config.media.bucket !== undefined;
    if (isInBucket && !withoutMedia)
      terminal.note('the content of media is in a bucket, and no part of this backup (docs/operations.md)');
    const media = withoutMedia || isInBucket ? undefined : backUpMedia(config.dataDir, partial, terminal);
    const manifest = await describe(config.dataDir, partial, { made_at: madeAt, damage, media });
    const others = [MEDIA_FOLDER, ERASURE_LIST_FILE].filter((name) => existsSync(join(partial, name)));
    const names = ['log', 'keys', ...others, MANIFEST_FILE];
    for (const name of names) renameSync(join(partial, name), join(directory, name));
    rmdirSync(partial);
    for (const path of [directory, dirname(directory)]) syncDirectory(path);
    await terminal.line(summaryOf(manifest, directory));
    return damage === undefined ? EXIT.ok : EXIT.found;
  } catch (error) {
    rmSync(partial, { recursive: true, force: true });
    if (isNew) rmdirSync(directory);
    if (error instanceof CliFailure) throw error;
    if (error instanceof LogDamaged) throw new CliFailure(`no backup was made: ${adviceOn(error.finding)}`, EXIT.found);
    throw new CliFailure(`the backup could not be made: ${messageOf(error)}`);
  }
}

/** A backup within what it is of would go with it: views are thrown away, a log is moved aside by `annals restore`. */
function checkIsOutside(dataDir: string, directory: string): void {
  const target = realPath(directory) + sep;
  const part = ['log', 'keys', 'views', MEDIA_FOLDER]
    .map((name) => realPath(join(dataDir, name)))
    .find((path) => target.startsWith(path + sep));
  if (part !== undefined)
    throw new CliFailure(`${directory} lies within ${part}, and would be lost with it: name another folder`);
}

/** A path without symbolic links, as far as it is there. */
function realPath(path: string): string {
  return existsSync(path) ? realpathSync(path) : join(realPath(dirname(path)), basename(path));
}

/** What to do about a log that is damaged. */
function adviceOn(damage: string): string {
  return (
    `the log is damaged: ${damage}; keep the backups that were made before: "annals verify" tells what else is damaged, ` +
    'and "annals restore" puts a backup in its place'
  );
}

function backUpMedia(dataDir: string, partial: string, terminal: Terminal): Manifest['media'] {
  const folder = join(dataDir, MEDIA_FOLDER);
  if (!existsSync(folder)) return undefined;
  const { files, bytes, damaged } = takeContent(folder, join(partial, MEDIA_FOLDER), { link: true });
  if (damaged > 0) terminal.note(`${counted(damaged, 'file')} of media are not what was written: they were left out`);
  return { files, bytes };
}

/** Puts the keys and the manifest beside the log that was copied. */
async function describe(
  dataDir: string,
  partial: string,
  about: Pick<Manifest, 'made_at' | 'damage' | 'media'>,
): Promise<Manifest> {
  const { identity, head } = await lookInto(join(partial, 'log'));
  // After the log: every key that it names is there by then.
  const keys = copyKeys(join(dataDir, 'keys'), join(partial, 'keys')).map((name) => `keys/${name}`);
  const whose = { log_id: identity.logId, server_name: identity.serverName, head };
  const list = copyErasures(dataDir, partial);
  const manifest = writeManifest(partial, { ...whose, ...about }, [`log/${LOG_FILE}`, ...keys, ...list]);
  for (const name of ['log', 'keys', '']) syncDirectory(join(partial, name));
  return manifest;
}

/** Who was erased, for a log of before that takes the place of a later one: this one knows it. Answers the file, where anybody was. */
function copyErasures(dataDir: string, partial: string): string[] {
  const list = erasureListIn(dataDir);
  if (!existsSync(list)) return [];
  copyFileSync(list, erasureListIn(partial));
  return [ERASURE_LIST_FILE];
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

function summaryOf({ server_name: server, head, files, media }: Manifest, directory: string): string {
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  const keys = counted(files.filter(({ path }) => path.startsWith('keys/')).length, 'key');
  const log = `${directory}: the log of ${server} up to position ${head} and ${keys}, ${size(bytes)}`;
  return media === undefined ? log : `${log}; ${counted(media.files, 'file')} of media, ${size(media.bytes)}`;
}
