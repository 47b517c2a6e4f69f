import { constants } from 'node:os';

/**
 * Why LMDB did not commit (a full disk, say): it says so by a promise beside the error, which would end the process were nobody to
 * take it. Undefined where the error is not of a commit.
 */
export async function whyNotCommitted(error: unknown): Promise<unknown> {
  const { commitError } = error as { commitError?: Promise<never> };
  return commitError?.catch((reason: unknown) => {
    if ((reason as { code?: unknown }).code !== constants.errno.EIO) return reason;
    return new Error('the disk took only a part of it: it is full, or fails', { cause: reason });
  });
}
