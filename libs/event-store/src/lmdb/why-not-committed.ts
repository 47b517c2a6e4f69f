/**
 * Why LMDB did not commit (a full disk, say): it says so by a promise beside the error, which would end the process were nobody to
 * take it. Undefined where the error is not of a commit.
 */
export async function whyNotCommitted(error: unknown): Promise<unknown> {
  const { commitError } = error as { commitError?: Promise<never> };
  return commitError?.catch((reason: unknown) => reason);
}
