/**
 * So many bytes one fact tells of what grows with its room; a single PDU may be more. A log takes 1 MB at once, where nobody told it
 * to take more (KurrentDB), so that some facts go into one write.
 */
export const MOST_IN_A_FACT = 100_000;
/** So many bytes of facts go into one write wherever they can be spread over several: every log takes that. */
export const MOST_IN_A_WRITE = 512 * 1024;
/** What a fact takes in the log besides its data, roughly: metadata, ids, names. */
export const FACT_BYTES = 1024;

/** What a fact takes in the log, roughly, that is mostly this text. */
export function bytesInLog(text: string): number {
  return Buffer.byteLength(text) + FACT_BYTES;
}

/** Items in their order, put together so that those of a group come to no more than `most` bytes; one alone may be more. */
export function inGroups<T>(items: Iterable<T>, bytesOf: (item: T) => number, most: number): T[][] {
  const groups: T[][] = [];
  let bytes = Infinity;
  for (const item of items) {
    const more = bytesOf(item);
    if (bytes + more > most) {
      groups.push([]);
      bytes = 0;
    }
    groups.at(-1)!.push(item);
    bytes += more;
  }
  return groups;
}
