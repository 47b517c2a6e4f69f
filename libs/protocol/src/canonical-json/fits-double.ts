/**
 * Whether a double stands for a JSON number as it is spelled: it lies within +-(2^53-1), as all integers of the protocol do,
 * and the double rounded to as many digits is that number again, where it lies halfway between two to either of them. `1.0`,
 * `1e3` and `0.10000000000000001` fit, `9007199254740993` and a fraction of thirty digits do not.
 */
export function fitsDouble(spelling: string): boolean {
  const number = Number(spelling);
  if (!(Math.abs(number) <= Number.MAX_SAFE_INTEGER)) return false;
  const wanted = normalised(spelling);
  const digits = wanted.indexOf('e');
  if (digits > MOST_DIGITS) return false;
  if (normalised(number.toExponential(Math.max(digits, 1) - 1)) === wanted) return true;
  // `toExponential` rounds a half up. JSON.stringify and the printf of most languages round it to the even digit: they write
  // 851.2739868164062 for 851.27398681640625.
  return normalised(number.toExponential(MOST_DIGITS - 1)) === withHalf(wanted);
}

/** The number that lies half a unit of the last digit above. */
function withHalf(normal: string): string {
  const [digits = '', exponent] = normal.split('e');
  return `${digits}5e${Number(exponent) - 1}`;
}

/** `toExponential` writes no more. */
const MOST_DIGITS = 101;
const NUMBER = /^-?(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;

/** The digits of a number without zeros at either end, and the power of ten of the last: `12e1` for 120 and 1.20e2, `e` for 0. */
function normalised(spelling: string): string {
  const [, whole = '', fraction = '', exponent = '0'] = NUMBER.exec(spelling) ?? [];
  let end = whole.length + fraction.length;
  const digits = whole + fraction;
  while (end > 0 && digits[end - 1] === '0') end--;
  let start = 0;
  while (start < end && digits[start] === '0') start++;
  if (start === end) return 'e';
  return `${digits.slice(start, end)}e${Number(exponent) - fraction.length + digits.length - end}`;
}
