import { KeyedQueue } from '#kernel/keyed-queue';
import { MatrixError } from '#kernel/matrix-error';
import { PeerUnavailable } from '#kernel/peer-errors';
import { Slots } from '#kernel/slots';
import { inTurns, Turn } from '#projections/turn';
import { canonicalJson, canonicalKeys, canonicalString } from '#protocol/canonical-json/canonical-json';
import { parseJson } from '#protocol/canonical-json/parse-json';
import { Slices, type SplitObject, splitObject } from '../receive/split-object.js';
import { MAX_DEPTH_OF_PARTS, type SignedContent, UnreadPart } from '../receive/unread-part.js';

/** A body, as its signature sees it too. */
export interface ReadContent {
  readonly content: SignedContent;
  /** The same as canonical JSON. */
  readonly text: string;
}

/** No event has more (`checkFormat`), nor has an EDU that any server makes. A part is read at once: nobody else has their turn meanwhile. */
const MOST_VALUES_OF_PART = 65_536;
/** Of a list: no request has longer ones. */
const MOST_PARTS = 1_000;
/** So many are read side by side, one of those from one address; and so many wait. */
const AT_ONCE = 2;
const MOST_WAITING = 16;
const RETRY_AFTER_MS = 5_000;

/**
 * Reads bodies of so many values that all of them at once would take hundreds of MB, each part by itself: it is not known yet who sent
 * it. Others have their turn in between.
 */
export class LargeContents {
  readonly #slots = new Slots(AT_ONCE);
  readonly #ofAddress = new KeyedQueue<string>();
  #waiting = 0;

  /** Throws M_TOO_LARGE or M_BAD_JSON for what no server sends, M_LIMIT_EXCEEDED where too many wait for their turn. */
  async read(body: Buffer, from: string): Promise<ReadContent> {
    if (this.#waiting >= MOST_WAITING) {
      throw new MatrixError('M_LIMIT_EXCEEDED', undefined, { fields: { retry_after_ms: RETRY_AFTER_MS } });
    }
    this.#waiting++;
    try {
      return await this.#ofAddress.run(from, () => this.#slots.run(() => readParts(body)));
    } finally {
      this.#waiting--;
    }
  }
}

async function readParts(body: Buffer): Promise<ReadContent> {
  const split = await splitBody(body);
  const content: Record<string, UnreadPart | readonly UnreadPart[]> = Object.create(null);
  const texts: Record<string, string> = Object.create(null);
  const turn = new Turn(1);
  for (const [key, value] of split) {
    const parts: UnreadPart[] = [];
    for (const bytes of value instanceof Slices ? value : [value]) {
      parts.push(new UnreadPart(canonicalOf(bytes)));
      if (turn.isOver()) await turn.pass();
    }
    const all = parts.map(({ text }) => text).join(',');
    content[key] = value instanceof Slices ? parts : parts[0]!;
    texts[key] = value instanceof Slices ? `[${all}]` : all;
  }
  const members = canonicalKeys(texts).map((key) => `${canonicalString(key)}:${texts[key]}`);
  return { content, text: `{${members.join(',')}}` };
}

/** The values end before the next part is looked at; and so does the text as it was put together, which takes ten times as much as a flat one. */
function canonicalOf(bytes: Uint8Array): string {
  const bounds = { maxDepth: MAX_DEPTH_OF_PARTS, maxValues: MOST_VALUES_OF_PART };
  return Buffer.from(canonicalJson(parseJson(bytes, { lenient: true, ...bounds }), { lenient: true })).toString();
}

async function splitBody(body: Buffer): Promise<SplitObject> {
  try {
    const split = await inTurns(splitObject(body));
    for (const value of split.values()) {
      if (value instanceof Slices && value.length > MOST_PARTS) throw new MatrixError('M_TOO_LARGE', 'Too many values');
    }
    return split;
  } catch (error) {
    if (error instanceof PeerUnavailable) throw new MatrixError('M_TOO_LARGE', 'Too many values', { cause: error });
    throw error;
  }
}
