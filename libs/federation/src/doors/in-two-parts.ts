import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { StreamableFile } from '@nestjs/common';

/**
 * RFC 2046, section 5.1: what is said of the content, which is nothing yet, and the content, `bytes` long. However the answer ends the
 * content is let go of: of a HEAD, or where the client has gone already, nothing of it is ever read.
 */
export function inTwoParts(headers: string, content: Readable, bytes: number): StreamableFile {
  const boundary = randomUUID();
  const start = `--${boundary}\r\nContent-Type: application/json\r\n\r\n{}\r\n--${boundary}\r\n${headers}\r\n\r\n`;
  const end = `\r\n--${boundary}--\r\n`;
  async function* parts(): AsyncGenerator<Uint8Array, void> {
    yield Buffer.from(start);
    yield* content as AsyncIterable<Uint8Array>;
    yield Buffer.from(end);
  }
  const whole = Readable.from(parts(), { objectMode: false });
  // Not in the generator: where nothing is read of that it never begins, and so never ends.
  whole.once('close', () => content.destroy());
  return new StreamableFile(whole, {
    type: `multipart/mixed; boundary=${boundary}`,
    length: Buffer.byteLength(start) + bytes + Buffer.byteLength(end),
  });
}
