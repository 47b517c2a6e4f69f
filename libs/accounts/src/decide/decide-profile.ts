import { isDeepStrictEqual } from 'node:util';
import type { JsonValue } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { AccountFact } from '../facts/account-facts.js';
import type { Account } from './account.js';
import { checkActive } from './decide-account.js';
import { nameOfField } from '../facts/profile-fields.js';

const KEY = /^(?:avatar_url|displayname|m\.tz|[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)+)$/;
const MAX_KEY_BYTES = 255;
const MAX_PROFILE_BYTES = 65_536;
/** In characters. A member event with both must stay far below the limit of an event. */
const MAX_LENGTH: Readonly<Record<string, number>> = { displayname: 256, avatar_url: 1000, 'm.tz': 255 };

/** Throws M_KEY_TOO_LARGE or M_INVALID_PARAM for what cannot be a profile's key (PUT /profile/{userId}/{keyName}). */
export function checkProfileKey(key: string): void {
  if (Buffer.byteLength(key) > MAX_KEY_BYTES) throw new MatrixError('M_KEY_TOO_LARGE');
  if (!KEY.test(key)) throw new MatrixError('M_INVALID_PARAM', 'Invalid profile key');
}

/** NOTSPEC: today an avatar must be an `mxc` URI. In 2015 it is an `http` URL; the two doors have one value, and either may stand there. */
function checkValue(key: string, value: JsonValue): void {
  const limit = MAX_LENGTH[key];
  if (limit === undefined) return;
  if (typeof value !== 'string') throw new MatrixError('M_BAD_JSON', `'${key}' must be a string`);
  if (value.length > limit && [...value].length > limit)
    throw new MatrixError('M_INVALID_PARAM', `'${key}' is longer than ${limit} characters`);
}

/**
 * A new value for one key of the profile, by whichever of its names; `undefined`, and the empty string for a display name or an avatar, removes it.
 * Nothing where that is the value already. Throws for a bad key or value and M_PROFILE_TOO_LARGE beyond 64 KiB in all.
 */
export function decideProfileChange(account: Account, named: string, value: JsonValue | undefined): AccountFact[] {
  checkActive(account);
  checkProfileKey(named);
  const key = nameOfField(named);
  const removal = value === undefined || (value === '' && MAX_LENGTH[key] !== undefined);
  if (removal) return account.profile.has(key) ? [{ type: 'profile-changed', data: { key, removed: true } }] : [];
  checkValue(key, value);
  if (isDeepStrictEqual(account.profile.get(key)?.value, value)) return [];
  const others = [...account.profile].map(([known, entry]) => [known, entry.value]);
  const whole = JSON.stringify({ ...Object.fromEntries(others), [key]: value });
  if (Buffer.byteLength(whole) > MAX_PROFILE_BYTES) throw new MatrixError('M_PROFILE_TOO_LARGE');
  return [{ type: 'profile-changed', data: { key, value } }];
}
