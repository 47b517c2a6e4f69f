import type { JsonValue } from '#kernel/json';
import { parseJson } from '#protocol/canonical-json/parse-json';

/** As deep as other servers can write, some of which let their users nest what they like. */
export const MAX_DEPTH_OF_PARTS = 1_000;

/**
 * A value in a list of a large request, which is read when its turn comes: 10 MB may be millions of values, and of all that was sent
 * no more is ever in memory as values than what is looked at.
 */
export class UnreadPart {
  /** `text`: JSON that has been found to be valid. */
  constructor(readonly text: string) {}

  /** The value, numbers spelled as they were. */
  read(): JsonValue {
    return parseJson(this.text, { lenient: true, maxDepth: MAX_DEPTH_OF_PARTS });
  }
}

/** A value that is there, or is yet to be read. */
export type Part = JsonValue | UnreadPart;

/** What another server has signed: of a large one all that it holds is yet to be read. */
export type SignedContent = Readonly<Record<string, Part | readonly UnreadPart[] | undefined>>;

/** So much text is read at once: what is in it as values are some tens of MB at most. */
const UNITS_AT_ONCE = 1024 * 1024;

/** Values of a list in their order, some at a time: all at once where they are there. */
export function* readInParts(parts: readonly Part[]): Generator<readonly JsonValue[]> {
  let some: JsonValue[] = [];
  let units = 0;
  for (const part of parts) {
    const isUnread = part instanceof UnreadPart;
    if (isUnread && some.length > 0 && units + part.text.length > UNITS_AT_ONCE) {
      yield some;
      some = [];
      units = 0;
    }
    units += isUnread ? part.text.length : 0;
    some.push(isUnread ? part.read() : part);
  }
  if (some.length > 0) yield some;
}
