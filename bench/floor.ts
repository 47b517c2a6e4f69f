import { open } from 'lmdb';
import { generateSigningKey } from '#protocol/signing/signing-key';

/** The floor of a figure: what the machine can do at all, measured in the same run. */
export interface Rate {
  readonly count: number;
  readonly seconds: number;
  readonly perSecond: number;
}

/** Counts what `work` does in about `seconds`, by `writers` at the same time, each waiting for its own before the next. */
export async function rateOf(writers: number, seconds: number, work: (i: number) => Promise<unknown>): Promise<Rate> {
  const started = performance.now();
  const end = started + seconds * 1_000;
  let count = 0;
  const write = async (): Promise<void> => {
    while (performance.now() < end) await work(count++);
  };
  await Promise.all(Array.from({ length: writers }, write));
  const took = (performance.now() - started) / 1_000;
  return { count, seconds: took, perSecond: count / took };
}

/**
 * Bare durable appends: values of `bytes` bytes into one LMDB database, each on disk before its writer goes on, each with
 * one Ed25519 signature over it. Nothing below this does what a send must do.
 */
export async function durableAppends(
  directory: string,
  writers: number,
  bytes: number,
  seconds: number,
): Promise<Rate> {
  const root = open({ path: directory, overlappingSync: false, encoding: 'binary', keyEncoding: 'uint32' });
  const key = generateSigningKey();
  const value = Buffer.alloc(bytes, 'x');
  try {
    return await rateOf(writers, seconds, (i) => {
      key.sign(value);
      return root.put(i, value);
    });
  } finally {
    await root.close();
  }
}
