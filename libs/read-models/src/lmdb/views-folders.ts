import { existsSync, readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { NOTE_FILE } from '#event-store/lmdb/last-end';

/*
 * Where the file of the views is. The first is in the directory itself; where the views are renewed their file and the lock file that
 * belongs to it change places with another pair, which is in a folder of its own. Whoever opens them finds that folder first, and then both
 * in it: were only the files renamed, a reader could take the lock file of the one with the other, and LMDB makes of the last transaction
 * that the lock file tells what the reader has found in its data file.
 */

export const DATA_FILE = 'data.mdb';
export const LOCK_FILE = 'lock.mdb';

/** A copy that is not whole. */
const HALF_MADE = 'renewal';
const RENEWED = /^renewed-(\d+)$/;

/** Where the views of a directory are copied to. */
export function copyFolder(directory: string): string {
  return join(directory, HALF_MADE);
}

/** The folder that has the file of the views: the last that was renewed, or the directory itself. */
export function currentFolder(directory: string): string {
  const last = lastRenewed(directory);
  return last === 0 ? directory : folderOf(directory, last);
}

/** Whether there are views in a directory. */
export function hasViews(directory: string): boolean {
  return existsSync(join(currentFolder(directory), DATA_FILE));
}

/** The copy is whole: from now on it is the views, whatever happens, and for whoever opens them. Answers where it is then. */
export function takePlace(directory: string): string {
  const folder = folderOf(directory, lastRenewed(directory) + 1);
  renameSync(copyFolder(directory), folder);
  return folder;
}

/** What is left in a directory of views that were copied in part, or whose place others have taken. */
export function listLeftovers(directory: string): string[] {
  const last = lastRenewed(directory);
  const names = namesIn(directory).filter((name) => {
    if (name === HALF_MADE) return true;
    const number = numberOf(name);
    return number === 0 ? last > 0 && [DATA_FILE, LOCK_FILE, NOTE_FILE].includes(name) : number < last;
  });
  return names.map((name) => join(directory, name));
}

function lastRenewed(directory: string): number {
  return Math.max(0, ...namesIn(directory).map(numberOf));
}

function namesIn(directory: string): string[] {
  return existsSync(directory) ? readdirSync(directory) : [];
}

/** 0 for what is no folder of renewed views. */
function numberOf(name: string): number {
  return Number(RENEWED.exec(name)?.[1] ?? 0);
}

function folderOf(directory: string, number: number): string {
  return join(directory, `renewed-${number}`);
}
