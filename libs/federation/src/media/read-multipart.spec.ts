import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BadMultipart, boundaryOf, MultipartReader } from './read-multipart.js';

/** A text in pieces of these sizes, over and over. */
async function* inPieces(text: string | Buffer, sizes: readonly number[]): AsyncGenerator<Buffer, void> {
  const bytes = Buffer.from(text);
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = Math.max(1, sizes[i % sizes.length] ?? 1);
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

const read = async (body: AsyncIterable<Uint8Array>): Promise<Buffer> => {
  const pieces: Uint8Array[] = [];
  for await (const piece of body) pieces.push(piece);
  return Buffer.concat(pieces);
};

async function parts(text: string | Buffer, sizes: readonly number[] = [7]): Promise<[unknown, Buffer][]> {
  const reader = new MultipartReader(inPieces(text, sizes), 'b');
  const found: [unknown, Buffer][] = [];
  for (let i = 0; i < 2; i++) {
    const { headers, body } = await reader.next();
    found.push([Object.fromEntries(headers), await read(body)]);
  }
  return found;
}

const WHOLE =
  '--b\r\nContent-Type: application/json\r\n\r\n{}\r\n--b\r\ncontent-type:  text/plain \r\nContent-Disposition: inline; filename="ä"\r\n\r\nsome\r\ntext\r\n--b--\r\n';

describe('content of two parts', () => {
  it('is read part by part, however it comes', async () => {
    for (const size of [1, 2, 3, 5, 11, 1000]) {
      const [first, second] = await parts(WHOLE, [size]);
      expect([first![0], first![1].toString()]).toEqual([{ 'content-type': 'application/json' }, '{}']);
      expect(second![0]).toEqual({ 'content-type': 'text/plain', 'content-disposition': 'inline; filename="ä"' });
      expect(second![1].toString()).toBe('some\r\ntext');
    }
  });

  it('may begin with what is no part, and have parts without headers, or without bytes', async () => {
    const found = await parts('for old readers\r\n--b\r\n\r\n\r\n--b \r\n\r\nx\r\n--b--');
    expect(found.map(([headers, body]) => [headers, body.toString()])).toEqual([
      [{}, ''],
      [{}, 'x'],
    ]);
  });

  it('holds whatever bytes, also such as look like its end', async () => {
    const bytes = fc.array(fc.constantFrom('\r', '\n', '-', 'b', 'x', '\r\n--', '\0'), { maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(bytes, fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }), async (pieces, sizes) => {
        const body = pieces.join('');
        fc.pre(!`\r\n${body}`.includes('\r\n--b'));
        const [, second] = await parts(`--b\r\n\r\n{}\r\n--b\r\nA: b\r\n\r\n${body}\r\n--b--`, sizes);
        expect(second![1].toString()).toBe(body);
      }),
    );
  });

  it('is none where it ends too early, has one part, or headers without end', async () => {
    const bad = [
      '',
      'no parts',
      WHOLE.slice(0, -10),
      '--b\r\n\r\n{}\r\n--b--\r\n\r\n\r\n',
      `--b\r\nA: ${'x'.repeat(20_000)}`,
      `--b\r\n\r\n{}\r\n--b\r\n${'A: b\r\n'.repeat(5000)}`,
    ];
    for (const text of bad) await expect(parts(text, [500])).rejects.toBeInstanceOf(BadMultipart);
  });

  it('says where its parts end', () => {
    expect(boundaryOf('multipart/mixed; boundary=abc')).toBe('abc');
    expect(boundaryOf('Multipart/Mixed;charset=x; BOUNDARY="a b;c"')).toBe('a b;c');
    for (const type of [undefined, 'multipart/mixed', 'text/plain; boundary=a', 'multipart/form-data; boundary=a']) {
      expect(boundaryOf(type)).toBeUndefined();
    }
  });
});
