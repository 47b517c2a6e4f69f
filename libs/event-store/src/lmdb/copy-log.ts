import { closeSync, fsyncSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { orDamaged } from './log-damage.js';
import { openBesideWriter } from './open-beside-writer.js';
import { openRoot } from './open-root.js';

/**
 * Copies the log in a directory into another one, as it stands at the call, while whoever writes it goes on. What is left free
 * within the file is left out. It reads beside the writer, which waits while it opens the file. Throws LogDamaged where it
 * comes upon what cannot be copied, and CommitsNotHeld as `openBesideWriter`.
 */
export async function copyLog(directory: string, target: string): Promise<void> {
  mkdirSync(target, { recursive: true, mode: 0o700 });
  const root = await openBesideWriter(directory, {
    open: () => openRoot({ path: directory, readOnly: true, maxDbs: 8, maxReaders: 512 }),
    close: (opened) => opened.close(),
  });
  try {
    await root.backup(target, true).catch((error: unknown) =>
      orDamaged(() => {
        throw error;
      }),
    );
  } finally {
    await root.close();
  }
  const descriptor = openSync(join(target, 'data.mdb'), 'r');
  fsyncSync(descriptor);
  closeSync(descriptor);
}
