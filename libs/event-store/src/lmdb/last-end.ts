import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { giveToOwner } from '../give-to-owner.js';

export const NOTE_FILE = 'last-end.json';

/** What the note beside a file of LMDB says: `unclean` while it is open, and for ever where nobody closed it. */
type Note =
  | { readonly ended: 'unclean'; readonly times: number }
  | { readonly ended: 'clean'; readonly size: number; readonly modified: number };

/** How the one who had a file of LMDB open before left it. */
export interface LastEnd {
  /** Whether it was closed, and is the very file that was closed: nothing else can have touched it. */
  readonly isClean: boolean;
  /** How often in a row it was not, this time included. */
  readonly times: number;
}

/** Reads how the file was left, where there is one, and notes that it is open now. */
export function noteOpened(directory: string): LastEnd {
  const note = readNote(directory);
  const file = fileOf(directory);
  const isClean =
    file === undefined || (note?.ended === 'clean' && note.size === file.size && note.modified === file.modified);
  const times = isClean ? 0 : 1 + (note?.ended === 'unclean' ? note.times : 0);
  writeNote(directory, { ended: 'unclean', times });
  return { isClean, times };
}

/** Notes that the file was closed, and how it is. */
export function noteClosed(directory: string): void {
  const file = fileOf(directory);
  if (file !== undefined) writeNote(directory, { ended: 'clean', ...file });
}

function readNote(directory: string): Note | undefined {
  try {
    return JSON.parse(readFileSync(join(directory, NOTE_FILE), 'utf8')) as Note; // Written by `writeNote`.
  } catch {
    return undefined;
  }
}

/** A disk that takes no note is no reason not to go on: what an old note says of the file is then no longer true. */
function writeNote(directory: string, note: Note): void {
  try {
    const file = join(directory, NOTE_FILE);
    writeFileSync(file, JSON.stringify(note), { mode: 0o600 });
    giveToOwner(file);
  } catch {
    // The next start looks at the file.
  }
}

function fileOf(directory: string): { readonly size: number; readonly modified: number } | undefined {
  const stats = statSync(join(directory, 'data.mdb'), { throwIfNoEntry: false });
  return stats === undefined || stats.size === 0
    ? undefined
    : { size: stats.size, modified: Math.trunc(stats.mtimeMs) };
}
