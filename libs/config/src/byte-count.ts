const FORM = /^(\d{1,15})([KMGT]?)$/;
const POWERS: Readonly<Record<string, number>> = { '': 0, K: 1, M: 2, G: 3, T: 4 };

/** Reads `100M` and the like, in powers of 1024; undefined where it is no number of bytes, or one that no number here can hold. */
export function parseByteCount(text: string): number | undefined {
  const [, digits, unit = ''] = FORM.exec(text) ?? [];
  const bytes = Number(digits) * 1024 ** (POWERS[unit] ?? 0);
  return Number.isSafeInteger(bytes) && bytes > 0 ? bytes : undefined;
}
