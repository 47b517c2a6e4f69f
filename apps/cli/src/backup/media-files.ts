import { createHash } from 'node:crypto';
import {
  closeSync,
  copyFileSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  statSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { syncDirectory } from '#event-store/sync-directory';
import { isContentHash } from '#media/store/media-store';

/** Where content is, within the folder of media. */
const CONTENT = 'content';
const BLOCK = 1024 * 1024;

/** Content that was put elsewhere. */
export interface TakenContent {
  files: number;
  bytes: number;
  /** What is not what its name says it is, and was left out. */
  damaged: number;
}

/**
 * Puts the content of one folder of media into another, where it is not there yet. Content never changes, so on the same disk it is linked
 * (`link`), and takes no place. What is deleted meanwhile is left out, and so is, where it is copied, what is not what its name says.
 */
export function takeContent(from: string, to: string, { link }: { readonly link: boolean }): TakenContent {
  const taken: TakenContent = { files: 0, bytes: 0, damaged: 0 };
  const folders = new Set<string>();
  for (const path of contentIn(from)) {
    const target = join(to, path);
    if (existsSync(target)) continue;
    try {
      mkdirSync(dirname(target), { recursive: true, mode: 0o700 });
      if (!(link && isLinked(join(from, path), target))) copyWhole(join(from, path), target);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') continue;
      if (!(error instanceof NotItself)) throw error;
      taken.damaged++;
      continue;
    }
    taken.files++;
    taken.bytes += statSync(target).size;
    for (let folder = dirname(target); folder.length >= to.length; folder = dirname(folder)) folders.add(folder);
  }
  // The names in them: whatever is in a file, where it stands is in its folder.
  for (const folder of folders) syncDirectory(folder);
  return taken;
}

class NotItself extends Error {}

/** The paths of all content within a folder of media. */
function* contentIn(folder: string): Generator<string> {
  if (!existsSync(join(folder, CONTENT))) return;
  for (const first of foldersIn(join(folder, CONTENT))) {
    for (const second of foldersIn(join(folder, CONTENT, first))) {
      for (const name of readdirSync(join(folder, CONTENT, first, second))) {
        if (isContentHash(name)) yield join(CONTENT, first, second, name);
      }
    }
  }
}

/** What else lies there somebody put there. */
function foldersIn(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
}

function isLinked(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw error;
    // On another disk, or one that has no links.
    return false;
  }
}

function copyWhole(from: string, to: string): void {
  copyFileSync(from, to);
  const file = openSync(to, 'r');
  try {
    const hash = createHash('sha256');
    const block = Buffer.allocUnsafe(BLOCK);
    for (let read = readSync(file, block); read > 0; read = readSync(file, block)) hash.update(block.subarray(0, read));
    if (!to.endsWith(hash.digest('hex'))) throw new NotItself();
    fsyncSync(file);
  } catch (error) {
    rmSync(to, { force: true });
    throw error;
  } finally {
    closeSync(file);
  }
}
