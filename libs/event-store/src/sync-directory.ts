import { closeSync, fsyncSync, openSync } from 'node:fs';

/** Settles the names in a directory: what was made, renamed or removed there is so after a power cut too. */
export function syncDirectory(directory: string): void {
  if (process.platform === 'win32') return;
  const descriptor = openSync(directory, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
