import { randomBytes } from 'node:crypto';

const SALT_BYTES = 16;

/**
 * A fact's data as text of which the values under some keys may be erased one day, and where that part begins: it stands at the end, with a salt,
 * for its hash stays and it could be guessed. Nothing may where none of the keys has a value.
 */
export function erasableText(
  data: Readonly<Record<string, unknown>>,
  ...keys: readonly string[]
): { readonly data: string; readonly erasable?: number } {
  const isPart = ([key, value]: readonly [string, unknown]): boolean => keys.includes(key) && value !== undefined;
  const fields = Object.entries(data);
  const part = Object.fromEntries(fields.filter(isPart));
  if (Object.keys(part).length === 0) return { data: JSON.stringify(data) };
  const rest = JSON.stringify(Object.fromEntries(fields.filter((field) => !isPart(field)))).slice(0, -1);
  const head = rest === '{' ? rest : `${rest},`;
  const salt = randomBytes(SALT_BYTES).toString('base64url');
  const tail = JSON.stringify({ ...part, salt }).slice(1);
  return { data: `${head}${tail}`, erasable: head.length };
}
