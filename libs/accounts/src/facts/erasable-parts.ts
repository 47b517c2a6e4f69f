import { randomBytes } from 'node:crypto';

/** What may have to go of a fact one day: the key whose value it is, and what stands there then. */
interface ErasablePart {
  readonly key: string;
  /** How the fact's data ends when it is gone. */
  readonly left: string;
}

const PARTS: Readonly<Record<string, ErasablePart>> = {
  'profile-changed': { key: 'value', left: '"removed":true}' },
  'readers-set': { key: 'readers', left: '"readers":[]}' },
  'threepid-added': { key: 'address', left: '"removed":true}' },
  'threepid-removed': { key: 'address', left: '"erased":true}' },
  'device-dehydrated': { key: 'device_data', left: '"device_data":{}}' },
  'external-id-linked': { key: 'subject', left: '"subject":""}' },
  'account-data-set': { key: 'content', left: '"content":{}}' },
};

const SALT_BYTES = 16;

/** A fact's data as text, and where the part begins that may be erased: with a salt, for its hash stays and it could be guessed. */
export function textOfFact(type: string, data: unknown): { readonly data: string; readonly erasable?: number } {
  const key = PARTS[type]?.key;
  const { [key ?? '']: value, ...rest } = data as Readonly<Record<string, unknown>>; // a fact's data is an object
  if (key === undefined || value === undefined) return { data: JSON.stringify(data) };
  const head = `${JSON.stringify(rest).slice(0, -1)},`;
  const salt = randomBytes(SALT_BYTES).toString('base64url');
  return { data: `${head}"${key}":${JSON.stringify(value)},"salt":"${salt}"}`, erasable: head.length };
}

/** What takes the place of the erasable part of a user's fact, at the latest when the account goes; undefined where it has none. */
export function tailLeftOf(type: string): string | undefined {
  return PARTS[type]?.left;
}
