import { each } from '#kernel/steps';
import { inTurns } from '#projections/turn';
import type { Pdu } from '#protocol/room-event';
import { Slices, splitObject } from '../receive/split-object.js';
import { parsePdu } from '../receive/told-pdu.js';

/** One that nests deeper than an event may is refused by who judges it; and a value takes two bytes at least. */
const BOUNDS = { maxDepth: 1_000, maxValues: 32_768 };

/**
 * The events of a list in an answer, some at most; undefined where there is no such list. Each is read by itself, so that one which has more
 * values than any event, or nests too deeply, is left out alone: valid ones have a million together. Throws PeerUnavailable for what is no answer.
 */
export async function readEvents(answer: Uint8Array, key: string, most: number): Promise<readonly Pdu[] | undefined> {
  const list = (await inTurns(splitObject(answer))).get(key);
  if (!(list instanceof Slices)) return undefined;
  const found: Pdu[] = [];
  const read = (bytesOfOne: Uint8Array): void => {
    const pdu = found.length < most ? parsePdu(bytesOfOne, BOUNDS) : undefined;
    if (pdu !== undefined) found.push(pdu);
  };
  await inTurns(each(list, read, 1));
  return found;
}
