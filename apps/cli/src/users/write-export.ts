import { type FileHandle, mkdir, open, rm } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import { messageOf } from '#kernel/message-of';
import type { ExportedPart } from '#homeserver/export-methods';
import { CliFailure, EXIT } from '../failure.js';

/** What was written. */
export interface WrittenExport {
  readonly files: number;
  readonly bytes: number;
}

/**
 * Writes the files of an export to a new folder that its owner alone may look into; whatever ends it before it is whole, nothing of it is
 * left. Throws CliFailure where the folder is there already or cannot be written, and what the parts throw.
 */
export async function writeExport(
  folder: string,
  parts: AsyncIterable<ExportedPart>,
  onFile: (path: string, files: number) => void,
): Promise<WrittenExport> {
  await makeNew(folder);
  let file: FileHandle | undefined;
  let [files, bytes] = [0, 0];
  try {
    for await (const part of parts) {
      if ('path' in part) {
        await file?.close();
        file = await begin(folder, part.path);
        onFile(part.path, ++files);
      } else {
        const content = Buffer.from(part.base64, 'base64');
        await file?.writeFile(content);
        bytes += content.length;
      }
    }
    await file?.close();
    return { files, bytes };
  } catch (error) {
    await file?.close().catch(() => undefined);
    await rm(folder, { recursive: true, force: true });
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
    throw new CliFailure(`${folder} cannot be written: ${messageOf(error)}`);
  }
}

async function makeNew(folder: string): Promise<void> {
  try {
    await mkdir(folder, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST')
      throw new CliFailure(`${folder} is there already: name another folder with --to`, EXIT.found);
    throw new CliFailure(`${folder} cannot be made: ${messageOf(error)}`);
  }
}

/** Throws where a path leads out of the folder: none that a server of ours tells does. */
async function begin(folder: string, path: string): Promise<FileHandle> {
  const place = resolve(join(folder, path));
  if (!place.startsWith(resolve(folder) + sep))
    throw new CliFailure(`the server names a file outside of the folder: ${path}`);
  await mkdir(dirname(place), { recursive: true, mode: 0o700 });
  return open(place, 'wx', 0o600);
}
