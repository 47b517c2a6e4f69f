import { MatrixError } from '#kernel/matrix-error';
import { atOnce, type Steps } from '#kernel/steps';
import { decodeText } from './vcard-text.js';

/** So much text is kept, without pictures. */
const MAX_CHARACTERS = 1024 * 1024;
/** So much of one vCard, and of each line that is put together: the parser takes longer the more parameters a property has, and a contact has less in any case. */
export const MAX_CARD_CHARACTERS = 64 * 1024;
/** PERF: a step for so many characters. A piece of a line takes as long as some of them, however short it is. */
const CHARACTERS_PER_STEP = 16 * 1024;
const CHARACTERS_OF_A_PIECE = 100;

/** Pictures and sounds in a vCard: they are no matter of an address book, and most of its bytes. */
const LARGE = /^(?:[\w-]+\.)?(?:photo|logo|sound|key|x-ms-cardpicture)[;:]/i;
const IS_LINK = /;value=ur[il](?:;|$)/i;
const IS_QUOTED = /^[^:"]*;(?:encoding=)?quoted-printable[;:]/i;
/** A parameter without a name, as version 2.1 has them. */
const HAS_BARE = /^[^:"]*;[^:;="]+[;:]/;
const OF_1996 = /^version:2\.1\s*$/im;
/** Properties whose values have parts, with semicolons between them. */
const IN_PARTS = /^(?:[\w-]+\.)?(?:n|adr|org|gender|clientpidmap)[;:]/i;
/** Those that nobody defined: what their values say is not known. */
const OF_NOBODY = /^(?:[\w-]+\.)?x-/i;
const LINE_END = '\r\n';
/** Encodings that version 2.1 names without saying that they are one. */
const ENCODINGS: ReadonlySet<string> = new Set(['quoted-printable', 'base64', '8bit', '7bit']);

/**
 * vCards as the parser reads them: a property to a line, without the pictures and sounds that they hold, and those of version 2.1, which telephones
 * still write, in the form of 3.0; so are lines of that kind where the version is said to be another. Takes as long as the text is, or until that is too much.
 * Throws M_TOO_LARGE.
 */
export function* plainVCards(text: string): Steps<string> {
  const isOld = OF_1996.test(text);
  const kept: string[] = [];
  let characters = 0;
  // The pieces of a line are put together once, at its end; of one that is too long in any case nothing more.
  let pieces: string[] = [];
  let length = 0;
  let isQuoted = false;
  let goesOn = false;
  let read = 0;
  const end = (): void => {
    const line = pieces.join('');
    pieces = [];
    length = 0;
    if (isLarge(line)) return;
    if (line.length > MAX_CARD_CHARACTERS) throw cardTooLarge();
    const plain = unescaped(asVersion3(line, isOld));
    characters += plain.length + LINE_END.length;
    if (characters > MAX_CHARACTERS) throw new MatrixError('M_TOO_LARGE', 'So many vCards are not taken at once');
    kept.push(plain);
  };
  for (const piece of piecesOf(text)) {
    const isFolded = !goesOn && pieces.length > 0 && /^[ \t]/.test(piece);
    if (!goesOn && !isFolded) {
      if (pieces.length > 0) end();
      isQuoted = IS_QUOTED.test(piece.slice(0, MAX_CARD_CHARACTERS));
    }
    goesOn = isQuoted && piece.endsWith('=');
    const said = piece.slice(isFolded ? 1 : 0, goesOn ? -1 : undefined).slice(0, MAX_CARD_CHARACTERS + 1 - length);
    if (said !== '' || pieces.length === 0) pieces.push(said);
    length += said.length;
    read += piece.length + CHARACTERS_OF_A_PIECE;
    if (read < CHARACTERS_PER_STEP) continue;
    read = 0;
    yield;
  }
  end();
  return kept.join(LINE_END);
}

export function cardTooLarge(): MatrixError {
  return new MatrixError('M_TOO_LARGE', 'A vCard is too large');
}

/** What stands between the ends of lines. */
function* piecesOf(text: string): Generator<string, void> {
  let from = 0;
  for (const { 0: end, index } of text.matchAll(/\r\n|\n|\r/g)) {
    yield text.slice(from, index);
    from = index + end.length;
  }
  yield text.slice(from);
}

function isLarge(line: string): boolean {
  const [head = ''] = line.split(':', 1);
  return LARGE.test(line) && (!IS_LINK.test(head) || /^:data:/i.test(line.slice(head.length, head.length + 6)));
}

/** Colons, and semicolons where they part nothing, may be escaped (RFC 6350, 3.4; 3.0 writes both): the parser takes that for what is meant. */
function unescaped(line: string): string {
  const colon = line.indexOf(':');
  if (colon < 0 || OF_NOBODY.test(line)) return line;
  const escaped = IN_PARTS.test(line) ? ':' : ':;';
  const value = line
    .slice(colon + 1)
    .replaceAll(/\\(.)/g, (all, each: string) => (escaped.includes(each) ? each : all));
  return line.slice(0, colon + 1) + value;
}

/** A line of version 2.1 as one of 3.0: `TEL;CELL:1` is `TEL;TYPE=CELL:1` there, and text is not encoded. */
function asVersion3(line: string, isOld: boolean): string {
  const colon = line.indexOf(':');
  if (colon < 0 || !(isOld || IS_QUOTED.test(line) || HAS_BARE.test(line))) return line;
  const [name = '', ...parameters] = line.slice(0, colon).split(';');
  if (name.toLowerCase() === 'version') return 'VERSION:3.0';
  const said = parameters.filter((each) => each !== '').map(parameterOf);
  const isEncoded = said.some(([key, value]) => key === 'ENCODING' && value.toLowerCase() === 'quoted-printable');
  const charset = said.find(([key]) => key === 'CHARSET')?.[1];
  const value = isEncoded ? decodeQuoted(line.slice(colon + 1), charset) : line.slice(colon + 1);
  const left = said.filter(([key]) => key !== 'ENCODING' && key !== 'CHARSET');
  const head = [name, ...left.map(([key, each]) => `${key}=${each}`)].join(';');
  const onOneLine = value.replaceAll(/\r\n|\n|\r/g, '\\n');
  return `${head}:${isOld ? onOneLine.replaceAll(/(?<!\\),/g, '\\,') : onOneLine}`;
}

function parameterOf(text: string): readonly [key: string, value: string] {
  const equals = text.indexOf('=');
  if (equals >= 0) return [text.slice(0, equals).toUpperCase(), text.slice(equals + 1)];
  return [ENCODINGS.has(text.toLowerCase()) ? 'ENCODING' : 'TYPE', text];
}

function decodeQuoted(text: string, charset: string | undefined): string {
  const bytes = text.replaceAll(/=([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  // Other characters than those of Latin 1 are as they are: then nothing was encoded.
  return /[\u0100-\uFFFF]/.test(bytes) ? text : atOnce(decodeText(Buffer.from(bytes, 'latin1'), charset));
}
