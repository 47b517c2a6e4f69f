/** A share of the streams: those whose names fall to it. */
export interface Part {
  readonly index: number;
  readonly of: number;
}

/** Whether a stream falls to a part: by a hash of its name, so that it does not matter in which order they come. */
export function isIn(part: Part | undefined, stream: string): boolean {
  if (part === undefined) return true;
  let hash = 0;
  for (let i = 0; i < stream.length; i++) hash = (Math.imul(hash, 31) + stream.charCodeAt(i)) >>> 0;
  return hash % part.of === part.index;
}

/** The two halves of a part. */
export function halve({ index, of }: Part): readonly [Part, Part] {
  return [
    { index, of: of * 2 },
    { index: index + of, of: of * 2 },
  ];
}
