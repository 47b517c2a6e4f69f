/** As long as files of any system are called, in characters. */
const LONGEST_NAME = 255;
const LONGEST_TYPE = 255;
/** What ends a line, and what makes of the end of a name its beginning (`fdp.exe`): no name of a file has any of it. */
const UNSEEN = /[\p{Cc}\p{Cs}\u2028\u2029\u202A-\u202E\u2066-\u2069]/gu;
const TOKEN = "[\\w!#$%&'*+.^`|~-]+";
/** RFC 9110, section 8.3.1, of what can be seen alone. */
const MEDIA_TYPE = new RegExp(`^${TOKEN}/${TOKEN}(?:\\s*;\\s*${TOKEN}=(?:${TOKEN}|"[ !#-\\[\\]-~]*"))*\\s*;?$`);

/** What content of no type has, and of one that cannot be read. */
export const UNKNOWN_TYPE = 'application/octet-stream';

/** The content type that whoever brings content says it has; undefined where it is none. */
export function readType(type: string | undefined): string | undefined {
  const text = type?.trim() ?? '';
  return text.length <= LONGEST_TYPE && MEDIA_TYPE.test(text) ? text : undefined;
}

/** The name of a file, without what nobody sees; undefined where nothing is left of it. */
export function readName(name: string | undefined): string | undefined {
  const letters = [...(name ?? '').replaceAll(UNSEEN, '')];
  return letters.slice(0, LONGEST_NAME).join('') || undefined;
}
