import { constants } from 'node:os';

const NAMES: ReadonlySet<string> = new Set([
  'EACCES',
  'EPERM',
  'EMFILE',
  'ENFILE',
  'ENOMEM',
  'ENOSPC',
  'EROFS',
  'EAGAIN',
]);

/**
 * Whether an error says something about this process or the machine, and not about the file of LMDB. LMDB gives those of the system by their
 * numbers, and its own below zero: so EINVAL, where somebody who had the file open alone has let go of its lock file in this very moment.
 */
export function isOfMachine(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  if (typeof code === 'number' && code > 0) return code !== constants.errno.EIO;
  return NAMES.has(String(code));
}
