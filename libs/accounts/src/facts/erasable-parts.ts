import { erasableText } from '#event-store/erasable-text';
import type { NewFact } from '#event-store/event-store';
import { PUSH_RULE_PARTS } from '#push/facts/push-rule-facts';
import type { AccountDeactivated, AccountFact } from './account-facts.js';

/** What may have to go of a fact one day: the keys whose values it is, and what stands there then. */
interface ErasablePart {
  readonly keys: readonly string[];
  /** How the fact's data ends when it is gone. */
  readonly left: string;
}

const PARTS: Readonly<Record<string, ErasablePart>> = {
  ...PUSH_RULE_PARTS,
  'account-registered': { keys: ['password_hash'], left: '"erased":true}' },
  'guest-upgraded': { keys: ['password_hash'], left: '"password_hash":""}' },
  'password-changed': { keys: ['password_hash'], left: '"password_hash":""}' },
  'profile-changed': { keys: ['value'], left: '"removed":true}' },
  'readers-set': { keys: ['readers'], left: '"readers":[]}' },
  'threepid-added': { keys: ['address'], left: '"removed":true}' },
  'threepid-removed': { keys: ['address'], left: '"erased":true}' },
  'device-added': { keys: ['display_name'], left: '"erased":true}' },
  'device-renamed': { keys: ['display_name'], left: '"display_name":""}' },
  'device-dehydrated': { keys: ['device_data'], left: '"device_data":{}}' },
  'external-id-linked': { keys: ['id_hash', 'subject'], left: '"id_hash":"","subject":""}' },
  'external-id-unlinked': { keys: ['id_hash'], left: '"id_hash":""}' },
  'account-data-set': { keys: ['content'], left: '"content":{}}' },
  'tag-set': { keys: ['tag', 'content'], left: '"tag":"","content":{}}' },
  'tag-removed': { keys: ['tag'], left: '"tag":""}' },
  'filter-created': { keys: ['filter'], left: '"filter":{}}' },
};

const DEACTIVATED: AccountFact['type'] = 'account-deactivated';

/** Whether a fact says that an account is closed, and that what was its is to go. */
export function asksForErasure({ type, data }: Pick<NewFact, 'type' | 'data'>): boolean {
  return type === DEACTIVATED && (JSON.parse(data) as AccountDeactivated).erase; // written by `decideDeactivation`
}

/** A fact's data as text, and where the part begins that may be erased. */
export function textOfFact(type: string, data: unknown): { readonly data: string; readonly erasable?: number } {
  const fields = data as Readonly<Record<string, unknown>>; // a fact's data is an object
  const part = PARTS[type];
  return part === undefined ? { data: JSON.stringify(fields) } : erasableText(fields, ...part.keys);
}

/** Whether a fact says something that is to go with the account, and cannot: it was written before that was thought of. */
export function isUnerasable({ type, data, metadata }: Pick<NewFact, 'type' | 'data' | 'metadata'>): boolean {
  const part = PARTS[type];
  if (part === undefined || metadata.erasable !== undefined) return false;
  const fields = JSON.parse(data) as Readonly<Record<string, unknown>>;
  return part.keys.some((key) => fields[key] !== undefined);
}

/** What takes the place of the erasable part of a user's fact, at the latest when the account goes; undefined where it has none. */
export function tailLeftOf(type: string): string | undefined {
  return PARTS[type]?.left;
}
