import { isUtf8 } from 'node:buffer';
import { TextDecoder } from 'node:util';
import type { Steps } from '#kernel/steps';

/** A character of more than one byte may be folded in between. What ends in `=` goes on in the next line by itself. */
const FOLD = /(?<!=|=\r)(?:\r\n|\n|\r)[ \t]/g;
const SAID_WITHIN = /^[^:\r\n]*;charset="?([\w-]{1,40})/im;
/** PERF: a step for so many bytes, and for so many folds. */
const BYTES_PER_STEP = 64 * 1024;
const FOLDS_PER_STEP = 4 * 1024;

/**
 * The text of vCards that came as bytes: in what their type says, in UTF-16 where they begin so, or else in UTF-8; where they are none of that, in
 * what they say themselves (2.1), or as Windows writes the West. So what telephones and programs of before wrote keeps its letters.
 */
export function* vCardText(body: Buffer, charset: string | undefined): Steps<string> {
  if (body[0] === 0xff && body[1] === 0xfe) return yield* decodeBy(new TextDecoder('utf-16le'), body);
  if (body[0] === 0xfe && body[1] === 0xff) return yield* decodeBy(new TextDecoder('utf-16be'), body);
  if (namesUtf8(charset) && isUtf8(body)) return body.toString();
  const text = body.toString('latin1');
  const said = charset ?? (yield* findSaid(text));
  return yield* decodeText(yield* unfold(body, text), said);
}

/** Text in a charset, a step for some of it; where none is named, or one that nobody knows, in UTF-8, and where it is none, as Windows writes the West. */
export function* decodeText(bytes: Buffer, charset: string | undefined): Steps<string> {
  const named = namesUtf8(charset) ? undefined : decoderOf(charset);
  if (named === undefined && isUtf8(bytes)) return bytes.toString();
  return yield* decodeBy(named ?? new TextDecoder('windows-1252'), bytes);
}

function* decodeBy(decoder: TextDecoder, bytes: Buffer): Steps<string> {
  let text = '';
  for (let at = 0; at < bytes.length; at += BYTES_PER_STEP) {
    text += decoder.decode(bytes.subarray(at, at + BYTES_PER_STEP), { stream: true });
    yield;
  }
  return text + decoder.decode();
}

/** The charset that a property names first. */
function* findSaid(text: string): Steps<string | undefined> {
  for (let from = 0; from < text.length;) {
    const some = text.slice(from, from + BYTES_PER_STEP);
    const lines = some.slice(0, some.lastIndexOf('\n') + 1) || some;
    const said = SAID_WITHIN.exec(lines)?.[1];
    if (said !== undefined) return said;
    from += lines.length;
    yield;
  }
  return undefined;
}

/** `text`: the bytes, a character for each. */
function* unfold(bytes: Buffer, text: string): Steps<Buffer> {
  const whole = Buffer.alloc(bytes.length);
  let [length, from, folds] = [0, 0, 0];
  for (const { 0: fold, index } of text.matchAll(FOLD)) {
    length += bytes.copy(whole, length, from, index);
    from = index + fold.length;
    if (++folds % FOLDS_PER_STEP === 0) yield;
  }
  length += bytes.copy(whole, length, from);
  return whole.subarray(0, length);
}

function namesUtf8(charset: string | undefined): boolean {
  return charset === undefined || /^utf-?8$/i.test(charset);
}

function decoderOf(charset = ''): TextDecoder | undefined {
  try {
    return new TextDecoder(charset);
  } catch {
    return undefined;
  }
}
