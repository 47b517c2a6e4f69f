import { isJsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { each } from '#kernel/steps';
import { inTurns } from '#projections/turn';
import { parseJson } from '#protocol/canonical-json/parse-json';
import type { Pdu } from '#protocol/room-event';
import { Slices, splitAnswer } from '../joining/split-answer.js';

/** One that nests deeper than an event may is refused by who judges it. */
const MAX_DEPTH = 1_000;
/** Of one event: a value takes two bytes at least. */
const MAX_VALUES = 32_768;

/**
 * The events of a list in an answer, some at most; undefined where there is no such list. Each is read by itself, so that one which has more
 * values than any event, or nests too deeply, is left out alone: valid ones have a million together. Throws PeerUnavailable for what is no answer.
 */
export async function readEvents(answer: Uint8Array, key: string, most: number): Promise<readonly Pdu[] | undefined> {
  const bytes = Buffer.from(answer.buffer, answer.byteOffset, answer.byteLength);
  const list = (await inTurns(splitAnswer(bytes))).get(key);
  if (!(list instanceof Slices)) return undefined;
  const found: Pdu[] = [];
  const read = (bytesOfOne: Uint8Array): void => {
    const pdu = found.length < most ? readEvent(bytesOfOne) : undefined;
    if (pdu !== undefined) found.push(pdu);
  };
  await inTurns(each(list, read, 1));
  return found;
}

function readEvent(bytes: Uint8Array): Pdu | undefined {
  try {
    const pdu = parseJson(bytes, { lenient: true, maxDepth: MAX_DEPTH, maxValues: MAX_VALUES });
    return isJsonObject(pdu) ? pdu : undefined;
  } catch (error) {
    if (error instanceof MatrixError) return undefined;
    throw error;
  }
}
