import { statSync } from 'node:fs';
import { mkdir, open, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { giveToOwner } from '#event-store/give-to-owner';
import { systemClock } from '#kernel/clock';
import { messageOf } from '#kernel/message-of';
import { ViewsNotRenewed } from '../read-model-errors.js';
import type { Renewal } from '../read-model-store.js';
import { bringToCopy } from './bring-to-copy.js';
import { FREE_BYTES } from './copy-messages.js';
import { type CopierOptions, ViewsCopier } from './copy-views.js';
import type { GroupCommits } from './group-commits.js';
import { type Current, type Environment, openFile, type Rows } from './open-environment.js';
import { copyFolder, DATA_FILE, listLeftovers, takePlace } from './views-folders.js';
import { WrittenKeys } from './written-keys.js';

/** So few keys are brought to the copy while writes wait. */
const FEW_KEYS = 2000;
/** Each takes what was written during the one before: where that does not get less, rows are written as fast as they are brought. */
const MOST_ROUNDS = 30;

export interface RenewalParts {
  /** The directory of the views. */
  readonly directory: string;
  readonly current: Current;
  readonly commits: GroupCommits;
  readonly copier: CopierOptions;
}

/**
 * Puts a file in the place of the one that is open, in which there is what is in that and nothing else: LMDB leaves in free pages, and
 * between the rows of others, what was deleted and written over, and never gives a page back. It is copied row by row by another process; the
 * keys that are written meanwhile are noted, and brought to the copy in rounds, the last while writes wait for it. A crash leaves the one file
 * or the other. Whoever reads the old file elsewhere goes on with it. Throws ViewsNotRenewed, also where the signal ends it: then all is as it was.
 */
export async function renewViews(parts: RenewalParts, signal: AbortSignal): Promise<Renewal> {
  const { directory, current, commits } = parts;
  signal.throwIfAborted();
  const begun = performance.now();
  const before = current.environment;
  const bytesBefore = sizeOf(before);
  let copy: Environment | undefined;
  try {
    await commits.settledSoFar();
    await checkRoom(before);
    await makeFolder(directory);
    const written = await copyRows(parts, signal);
    signal.throwIfAborted();
    // First without the disk, which would be asked for each of many small transactions.
    copy = openFile(copyFolder(directory), 'to fill');
    await catchUp(written, copy, parts, signal);
    await copy.root.close();
    copy = openFile(copyFolder(directory), 'to write');
    await catchUp(written, copy, parts, signal);
    await commits.alone(() => exchange(written, copy!, parts));
  } catch (error) {
    commits.noteIn(undefined);
    await copy?.root.close();
    await rm(copyFolder(directory), { recursive: true, force: true });
    throw error instanceof ViewsNotRenewed ? error : new ViewsNotRenewed(messageOf(error), { cause: error });
  }
  await before.root.close();
  await removeLeftovers(directory);
  const milliseconds = Math.round(performance.now() - begun);
  return { bytesBefore, bytesAfter: sizeOf(current.environment), milliseconds, at: systemClock.now() };
}

async function makeFolder(directory: string): Promise<void> {
  const folder = copyFolder(directory);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { mode: 0o700 });
  giveToOwner(folder);
}

/** Answers what was written meanwhile, which the copy may lack. */
async function copyRows(parts: RenewalParts, signal: AbortSignal): Promise<WrittenKeys> {
  const { directory, current, commits, copier: options } = parts;
  const overfull = new AbortController();
  const written = new WrittenKeys((reason) => overfull.abort(reason));
  const ended = AbortSignal.any([signal, overfull.signal]);
  const copier = new ViewsCopier(current.environment.folder, copyFolder(directory), ended, options);
  try {
    await copier.ready();
    await commits.alone(async () => {
      commits.noteIn(written);
      await copier.open();
    });
    await copier.copied();
    return written;
  } catch (error) {
    throw ended.aborted ? ended.reason : error;
  } finally {
    await copier.end();
  }
}

/** Brings to the copy what was written, until that is so little that writes may wait for it. */
async function catchUp(
  written: WrittenKeys,
  copy: Environment,
  { current }: RenewalParts,
  signal: AbortSignal,
): Promise<void> {
  for (let round = 0; written.count > FEW_KEYS; round++) {
    if (round === MOST_ROUNDS) throw new ViewsNotRenewed('rows are written as fast as they can be copied');
    await bringToCopy(written.take(), current.environment, copy);
    await settle(join(copy.folder, DATA_FILE));
    signal.throwIfAborted();
  }
}

/** While nobody else writes: the copy becomes all that the file is, and takes its place. */
async function exchange(written: WrittenKeys, copy: Environment, parts: RenewalParts): Promise<void> {
  const { directory, current, commits } = parts;
  await bringToCopy(written.take(), current.environment, copy);
  await copy.root.flushed;
  await settle(copyFolder(directory));
  current.environment = { ...copy, folder: takePlace(directory) };
  commits.noteIn(undefined);
}

/** What they had is on the disk until then; who has the file open elsewhere keeps it there for so long. */
async function removeLeftovers(directory: string): Promise<void> {
  try {
    await settle(directory);
    for (const path of listLeftovers(directory)) await rm(path, { recursive: true, force: true });
  } catch (error) {
    throw new ViewsNotRenewed(`the old file is left, for the next start to remove: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/** Throws where what is in the file, with what others need, is more than the disk has room for. */
async function checkRoom({ folder, collections }: Environment): Promise<void> {
  let needed = FREE_BYTES;
  for (const rows of collections.values()) needed += bytesOf(rows);
  const { bavail, bsize } = await statfs(folder);
  const free = bavail * bsize;
  if (free < needed)
    throw new ViewsNotRenewed(
      `there is too little room for a copy: ${inMegabytes(needed)} are needed, and ${inMegabytes(free)} are free`,
    );
}

function bytesOf(rows: Rows): number {
  const { pageSize, treeBranchPageCount, treeLeafPageCount, overflowPages } = rows.getStats() as PageCounts;
  return pageSize * (treeBranchPageCount + treeLeafPageCount + overflowPages);
}

interface PageCounts {
  readonly pageSize: number;
  readonly treeBranchPageCount: number;
  readonly treeLeafPageCount: number;
  readonly overflowPages: number;
}

function inMegabytes(bytes: number): string {
  return `${Math.ceil(bytes / 1024 / 1024)} MB`;
}

function sizeOf({ folder }: Environment): number {
  return statSync(join(folder, DATA_FILE)).size;
}

/** What a file holds, and which names are in a folder, is so after a power cut, too. */
async function settle(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(path, 'r');
  await handle.sync().finally(() => handle.close());
}
