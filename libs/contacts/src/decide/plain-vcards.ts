/** Pictures and sounds in a vCard: they are no matter of an address book, and most of its bytes. */
const LARGE = /^(?:[\w-]+\.)?(?:photo|logo|sound|key|x-ms-cardpicture)[;:]/i;
const IS_LINK = /;value=ur[il]/i;
const OF_1996 = /^version:2\.1\s*$/im;
/** Encodings that version 2.1 names without saying that they are one. */
const ENCODINGS: ReadonlySet<string> = new Set(['quoted-printable', 'base64', '8bit', '7bit']);

/**
 * vCards as the parser reads them: without the pictures and sounds that they hold, and those of version 2.1, which telephones still write, in the form
 * of 3.0. Takes as long as the text is.
 */
export function plainVCards(text: string): string {
  const isOld = OF_1996.test(text);
  const kept: string[] = [];
  let isLeftOut = false;
  let soft: string | undefined;
  for (const line of text.split(/\r\n|\n|\r/)) {
    if (soft !== undefined) {
      soft = soft.endsWith('=') ? soft.slice(0, -1) + line : soft;
      if (soft.endsWith('=')) continue;
      kept.push(asVersion3(soft));
      soft = undefined;
      continue;
    }
    const isFolded = line.startsWith(' ') || line.startsWith('\t');
    if (isFolded && isLeftOut) continue;
    isLeftOut = !isFolded && LARGE.test(line) && !IS_LINK.test(line);
    if (isLeftOut) continue;
    if (!isOld || isFolded || line.trim() === '') kept.push(line);
    else if (/;(?:encoding=)?quoted-printable[;:]/i.test(line) && line.endsWith('=')) soft = line;
    else kept.push(asVersion3(line));
  }
  if (soft !== undefined) kept.push(asVersion3(soft));
  return kept.join('\r\n');
}

/** A line of version 2.1 as one of 3.0: `TEL;CELL:1` is `TEL;TYPE=CELL:1` there, and text is not encoded. */
function asVersion3(line: string): string {
  const colon = line.indexOf(':');
  if (colon < 0) return line;
  const [name = '', ...parameters] = line.slice(0, colon).split(';');
  if (name.toLowerCase() === 'version') return 'VERSION:3.0';
  const said = parameters.filter((each) => each !== '').map(parameterOf);
  const isEncoded = said.some(([key, value]) => key === 'ENCODING' && value.toLowerCase() === 'quoted-printable');
  const value = isEncoded ? decodeQuoted(line.slice(colon + 1)) : line.slice(colon + 1);
  const left = said.filter(([key]) => key !== 'ENCODING' && key !== 'CHARSET');
  const head = [name, ...left.map(([key, each]) => `${key}=${each}`)].join(';');
  return `${head}:${value.replaceAll(/\r\n|\n|\r/g, '\\n').replaceAll(/(?<!\\),/g, '\\,')}`;
}

function parameterOf(text: string): readonly [key: string, value: string] {
  const equals = text.indexOf('=');
  if (equals >= 0) return [text.slice(0, equals).toUpperCase(), text.slice(equals + 1)];
  return [ENCODINGS.has(text.toLowerCase()) ? 'ENCODING' : 'TYPE', text];
}

/** UTF-8, as telephones write it. */
function decodeQuoted(text: string): string {
  const bytes = text.replaceAll(/=([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  // Other characters than those of Latin 1 are as they are: then nothing was encoded.
  return /[\u0100-\uFFFF]/.test(bytes) ? text : Buffer.from(bytes, 'latin1').toString('utf8');
}
