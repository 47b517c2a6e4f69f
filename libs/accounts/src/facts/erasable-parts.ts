import { erasableText } from '#event-store/erasable-text';

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

/** A fact's data as text, and where the part begins that may be erased. */
export function textOfFact(type: string, data: unknown): { readonly data: string; readonly erasable?: number } {
  const fields = data as Readonly<Record<string, unknown>>; // a fact's data is an object
  const key = PARTS[type]?.key;
  return key === undefined ? { data: JSON.stringify(fields) } : erasableText(fields, key);
}

/** What takes the place of the erasable part of a user's fact, at the latest when the account goes; undefined where it has none. */
export function tailLeftOf(type: string): string | undefined {
  return PARTS[type]?.left;
}
