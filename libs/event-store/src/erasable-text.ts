import { randomBytes } from 'node:crypto';

const SALT_BYTES = 16;

/**
 * A fact's data as text of which the value under a key may be erased one day, and where that part begins: it stands at the end, with a salt,
 * for its hash stays and it could be guessed. Nothing may where the key has no value.
 */
export function erasableText(
  data: Readonly<Record<string, unknown>>,
  key: string,
): { readonly data: string; readonly erasable?: number } {
  const { [key]: value, ...rest } = data;
  if (value === undefined) return { data: JSON.stringify(data) };
  const head = Object.keys(rest).length === 0 ? '{' : `${JSON.stringify(rest).slice(0, -1)},`;
  const salt = randomBytes(SALT_BYTES).toString('base64url');
  return { data: `${head}"${key}":${JSON.stringify(value)},"salt":"${salt}"}`, erasable: head.length };
}
