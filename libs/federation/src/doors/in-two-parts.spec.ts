import { once } from 'node:events';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { inTwoParts } from './in-two-parts.js';

const HEADERS = 'Content-Type: text/plain\r\nContent-Disposition: inline';

describe('content in two parts', () => {
  it('stands behind what is said of it, and is as long as was said', async () => {
    const file = inTwoParts(HEADERS, Readable.from([Buffer.from('abc')]), 3);
    const { type, length } = file.getHeaders();
    const boundary = /boundary=(.+)$/.exec(String(type))![1]!;
    const whole = await buffer(file.getStream());
    expect(whole.toString().split(`--${boundary}`)).toEqual([
      '',
      '\r\nContent-Type: application/json\r\n\r\n{}\r\n',
      `\r\n${HEADERS}\r\n\r\nabc\r\n`,
      '--\r\n',
    ]);
    expect(whole.length).toBe(length);
  });

  it('is let go of where it was read, where a part was, and where nobody reads any of it', async () => {
    for (const read of [
      async (stream: Readable) => void (await buffer(stream)),
      async (stream: Readable) => {
        await once(stream, 'readable');
        stream.read(1);
        stream.destroy();
      },
      (stream: Readable) => void stream.destroy(),
    ]) {
      const content = new Readable({ read: () => void content.push(content.readableFlowing === null ? 'abc' : null) });
      const stream = inTwoParts(HEADERS, content, 3).getStream();
      const closed = once(content, 'close');
      await read(stream);
      await closed;
      expect(content.destroyed).toBe(true);
    }
  });
});
