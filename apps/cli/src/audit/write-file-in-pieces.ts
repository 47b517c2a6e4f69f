import { existsSync } from 'node:fs';
import { link, open, rename, rm } from 'node:fs/promises';
import { CliFailure } from '../failure.js';
import { messageOf } from '#kernel/message-of';

/**
 * Writes a file that only its owner may read, and that is either whole or not there. Throws CliFailure where it cannot be
 * written, or where it is there already and `force` is not set; then nothing has changed.
 */
export async function writeFileInPieces(path: string, pieces: AsyncIterable<string>, force: boolean): Promise<void> {
  const taken = new CliFailure(`${path} is there already: name another file, or use --force`);
  if (!force && existsSync(path)) throw taken;
  const unfinished = `${path}.${process.pid}.unfinished`;
  try {
    const file = await open(unfinished, 'wx', 0o600);
    try {
      for await (const piece of pieces) await file.writeFile(piece);
      await file.sync();
    } finally {
      await file.close();
    }
    // A name that is taken meanwhile refuses a link, but not a renaming.
    if (force) await rename(unfinished, path);
    else await link(unfinished, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw taken;
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
    throw new CliFailure(`${path} cannot be written: ${messageOf(error)}`);
  } finally {
    await rm(unfinished, { force: true });
  }
}
