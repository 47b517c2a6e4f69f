import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { each } from '#kernel/steps';
import { inTurns } from '#projections/turn';

/** An answer has more bytes than its reader takes, or is packed in a way that its reader did not ask for. */
export class UnreadableAnswer extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'UnreadableAnswer';
  }
}

/**
 * All of a body, unpacked where it comes packed by gzip, and at most `maxBytes` of that: no more is ever held or unpacked. `beforeMore` is
 * awaited before more is read, with the bytes that were. Throws UnreadableAnswer, or what the stream ends with; the stream is destroyed then.
 */
export async function readBounded(
  body: Readable,
  encoding: string | undefined,
  maxBytes: number,
  beforeMore?: (bytes: number) => Promise<void>,
): Promise<Buffer> {
  const packing = encoding?.trim().toLowerCase() || 'identity';
  const isPacked = packing === 'gzip' || packing === 'x-gzip';
  if (!isPacked && packing !== 'identity') {
    body.on('error', () => {}).destroy();
    throw new UnreadableAnswer(`packed as ${packing.slice(0, 40)}`);
  }
  const pieces: Buffer[] = [];
  let bytes = 0;
  let refusal: UnreadableAnswer | undefined;
  const collect = async (source: AsyncIterable<Buffer>): Promise<void> => {
    for await (const piece of source) {
      bytes += piece.length;
      if (bytes > maxBytes) throw (refusal = new UnreadableAnswer(`more than ${maxBytes} bytes`));
      pieces.push(piece);
      if (beforeMore !== undefined) await beforeMore(bytes);
    }
  };
  try {
    await (isPacked ? pipeline(body, createGunzip(), collect) : pipeline(body, collect));
  } catch (error) {
    // Of streams that end each other the first to say so is heard, and not always why.
    throw refusal ?? error;
  }
  return pieces.length === 1 && pieces[0] !== undefined ? pieces[0] : putTogether(pieces, bytes);
}

/** PERF: to copy the hundred MB of a large room takes as many milliseconds, in which everything else has its turn. */
async function putTogether(pieces: readonly Buffer[], bytes: number): Promise<Buffer> {
  const whole = Buffer.allocUnsafe(bytes);
  let at = 0;
  await inTurns(each(pieces, (piece) => (at += piece.copy(whole, at)), 1));
  return whole;
}
