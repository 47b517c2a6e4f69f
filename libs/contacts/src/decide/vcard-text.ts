import { TextDecoder } from 'node:util';

/** A character of more than one byte may be folded in between. What ends in `=` goes on in the next line by itself. */
const FOLD = /(?<!=|=\r)(?:\r\n|\n|\r)[ \t]/g;
const SAID_WITHIN = /^[^:\r\n]*;charset="?([\w-]{1,40})/im;

/**
 * The text of vCards that came as bytes: in what their type says, in UTF-16 where they begin so, or else in UTF-8; where they are none of that, in
 * what they say themselves (2.1), or as Windows writes the West. So what telephones and programs of before wrote keeps its letters.
 */
export function vCardText(body: Buffer, charset: string | undefined): string {
  if (body[0] === 0xff && body[1] === 0xfe) return new TextDecoder('utf-16le').decode(body);
  if (body[0] === 0xfe && body[1] === 0xff) return new TextDecoder('utf-16be').decode(body);
  const utf8 = inUtf8(body);
  if (utf8 !== undefined && isUtf8(charset)) return utf8;
  const text = body.toString('latin1');
  return decodeText(Buffer.from(text.replaceAll(FOLD, ''), 'latin1'), charset ?? SAID_WITHIN.exec(text)?.[1]);
}

/** Text in a charset; where none is named, or one that nobody knows, in UTF-8, and where it is none, as Windows writes the West. */
export function decodeText(bytes: Buffer, charset: string | undefined): string {
  const named = isUtf8(charset) ? undefined : decoderOf(charset);
  return named?.decode(bytes) ?? inUtf8(bytes) ?? new TextDecoder('windows-1252').decode(bytes);
}

function isUtf8(charset: string | undefined): boolean {
  return charset === undefined || /^utf-?8$/i.test(charset);
}

function decoderOf(charset = ''): TextDecoder | undefined {
  try {
    return new TextDecoder(charset);
  } catch {
    return undefined;
  }
}

function inUtf8(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
