/** What came is no content of two parts. The message is one line. */
export class BadMultipart extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'BadMultipart';
  }
}

/** A part: its headers by their name in small letters, and what stands behind them, to be read to its end before the next part. */
export interface Part {
  readonly headers: ReadonlyMap<string, string>;
  readonly body: AsyncIterable<Uint8Array>;
}

const MOST_OF_HEADERS = 16 * 1024;
const LINE_END = Buffer.from('\r\n');
const HEADERS_END = Buffer.from('\r\n\r\n');
/** RFC 2046, section 5.1.1: up to 70 characters. Some send more, and none needs to. */
const BOUNDARY = /;\s*boundary=(?:"([^"\r\n]{1,200})"|([^\s;"]{1,200}))/i;

/** Where the parts of a multipart content end, by its type; undefined where it is no such content. */
export function boundaryOf(contentType: string | undefined): string | undefined {
  if (contentType === undefined || !/^multipart\/mixed\s*(;|$)/i.test(contentType)) return undefined;
  const [, quoted, plain] = BOUNDARY.exec(contentType) ?? [];
  return quoted ?? plain;
}

/**
 * The parts of a multipart content (RFC 2046, section 5.1) as they come: of a part no more than a piece is in memory. Throws BadMultipart where
 * it is none, or ends too early; and what its source throws.
 */
export class MultipartReader {
  readonly #source: AsyncIterator<Uint8Array>;
  readonly #delimiter: Buffer;
  /** What was read and belongs to what comes next. A delimiter at the very beginning has no line before it. */
  #held: Buffer = LINE_END;
  #isFirst = true;

  constructor(source: AsyncIterable<Uint8Array>, boundary: string) {
    this.#source = source[Symbol.asyncIterator]();
    this.#delimiter = Buffer.from(`\r\n--${boundary}`, 'latin1');
  }

  /** The next part. Throws BadMultipart where there is none. */
  async next(): Promise<Part> {
    if (this.#isFirst) await this.#readUpTo(this.#delimiter);
    this.#isFirst = false;
    const head = await this.#readUpTo(HEADERS_END);
    if (head.subarray(0, 2).toString() === '--') throw new BadMultipart('there are not two parts');
    return { headers: headersIn(head.toString('utf8')), body: this.#readBody() };
  }

  /** What stands before a mark, which is passed over. */
  async #readUpTo(mark: Buffer): Promise<Buffer> {
    for (;;) {
      const at = this.#held.indexOf(mark);
      if (at >= 0) {
        const before = this.#held.subarray(0, at);
        this.#held = this.#held.subarray(at + mark.length);
        return before;
      }
      if (this.#held.length > MOST_OF_HEADERS) throw new BadMultipart('its headers are too long');
      this.#held = Buffer.concat([this.#held, await this.#read()]);
    }
  }

  async *#readBody(): AsyncGenerator<Uint8Array, void> {
    for (;;) {
      const at = this.#held.indexOf(this.#delimiter);
      if (at >= 0) {
        const last = this.#held.subarray(0, at);
        this.#held = this.#held.subarray(at + this.#delimiter.length);
        if (last.length > 0) yield last;
        return;
      }
      // Its end may be the beginning of the mark.
      const safe = Math.max(0, this.#held.length - this.#delimiter.length + 1);
      const piece = this.#held.subarray(0, safe);
      this.#held = this.#held.subarray(safe);
      if (piece.length > 0) yield piece;
      const more = await this.#read();
      this.#held = this.#held.length === 0 ? more : Buffer.concat([this.#held, more]);
    }
  }

  async #read(): Promise<Buffer> {
    const { value, done } = await this.#source.next();
    if (done === true) throw new BadMultipart('it ends too early');
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  }
}

/** Of several of one name the first counts. Lines that are none are passed over. */
function headersIn(text: string): ReadonlyMap<string, string> {
  const headers = new Map<string, string>();
  for (const line of text.split('\r\n')) {
    const [, name, value] = /^([\w-]{1,100}):[ \t]*(.*?)[ \t]*$/.exec(line) ?? [];
    if (name === undefined || value === undefined || headers.has(name.toLowerCase())) continue;
    headers.set(name.toLowerCase(), value);
  }
  return headers;
}
