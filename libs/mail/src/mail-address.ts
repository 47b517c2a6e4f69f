import { isIPv4 } from 'node:net';
import { domainToASCII } from 'node:url';

const MOST_LOCAL = 64;
/** RFC 5321, 4.5.3.1.3: a path of 256 with its angle brackets. */
const MOST = 254;
/** What would be more than an address where a header is made of it: RFC 5322, "specials", but for the dot; blanks and controls. */
// oxlint-disable-next-line no-control-regex
const LOCAL = /^[^\u0000-\u0020\u007f-\u00a0()<>[\]:;@\\,"\u2028\u2029\ufeff]+$/;
const DOMAIN = /^(?!-)[\p{L}\p{N}-]{1,63}(?:\.(?!-)[\p{L}\p{N}-]{1,63})*$/u;

/** Whether it is one mail address and nothing else, without a name, a comment or a quoted part: nothing that could reach a header's end. */
export function isMailAddress(text: string): boolean {
  const at = text.lastIndexOf('@');
  if (at < 1 || at > MOST_LOCAL || text.length > MOST) return false;
  return LOCAL.test(text.slice(0, at)) && isDomain(text.slice(at + 1));
}

/** Not an IPv4 address, in whatever digits: mail goes to names, and an address of a machine would stand in brackets (RFC 5321, 4.1.3). */
function isDomain(text: string): boolean {
  if (!DOMAIN.test(text)) return false;
  const spelled = domainToASCII(text);
  return spelled !== '' && !isIPv4(spelled);
}

/**
 * An address as it is kept and compared: who types one in capitals, or by another keyboard, has the same one (appendices, "3PID Types": case
 * folding, `Strauß@Example.com` is `strauss@example.com`). Undefined where it is none. Mail goes to that: to what somebody has typed it would
 * reach whoever has an address that folds to another's.
 */
export function foldMailAddress(text: string): string | undefined {
  const trimmed = text.trim();
  const at = trimmed.lastIndexOf('@') + 1;
  // A domain is in small letters and no more: one with an ß is another than that with ss (RFC 5892).
  const folded = (foldCase(trimmed.slice(0, at)) + trimmed.slice(at).toLowerCase()).normalize('NFC');
  return isMailAddress(folded) ? folded : undefined;
}

/** It has the capital of i, and is one letter with it in no folding. */
const DOTLESS_I = 'ı';

/**
 * Unicode's full case folding: down, up and down again, since one step alone leaves pairs apart (ẞ and ss, ς and Σ), each letter by itself. All but
 * Cherokee, whose letters are folded up: here down, as well as one another.
 */
function foldCase(text: string): string {
  let folded = '';
  for (const letter of text.toLowerCase()) {
    if (letter === DOTLESS_I) folded += letter;
    else for (const capital of letter.toUpperCase()) folded += capital.toLowerCase();
  }
  return folded;
}
