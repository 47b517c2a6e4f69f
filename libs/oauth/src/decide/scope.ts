import { ADMIN_SCOPE } from '#accounts/sessions/rights-of';
import { type DeviceId, parseDeviceId } from '#kernel/ids';
import { OAuthError } from '../oauth-error.js';

/** What an application asks for, or was given. */
export interface Scope {
  /** In the words of the specification, as they were asked for. */
  readonly text: string;
  readonly deviceId: DeviceId;
  /** Whether it is to have its user's rights as an administrator. */
  readonly isAdmin: boolean;
}

/** The names of the specification, and those before it (MSC2967), by which some clients still ask. */
const PREFIXES = ['urn:matrix:client:', 'urn:matrix:org.matrix.msc2967.client:'];
const API = 'api:*';
const DEVICE = 'device:';
const MOST_CHARACTERS = 1_000;
/** RFC 6749, section 3.3. */
const TOKEN = /^[\x21\x23-\x5b\x5d-\x7e]+$/;
/** NOTSPEC: a server may refuse others, it says, and these alone are the same in every place where a device id stands (RFC 3986, section 2.3). */
const DEVICE_ID = /^[\w.~-]{1,255}$/;

/**
 * Reads a scope (client-server API, "Scope"): access to the API, and exactly one device. What is not known is left out, as RFC 6749 lets
 * servers do, and the answer with the tokens says what was given. Throws OAuthError `invalid_scope`, also where
 * there is none (RFC 6749, section 3.3).
 */
export function parseScope(text = ''): Scope {
  if (text.length > MOST_CHARACTERS) throw new OAuthError('invalid_scope', 'The scope is too long');
  const asked = [...new Set(text.split(' ').filter((token) => token !== ''))];
  if (!asked.every((token) => TOKEN.test(token))) throw new OAuthError('invalid_scope', 'Not a scope');
  const devices = new Set(asked.flatMap((token) => namesIn(token, DEVICE)));
  const [device, another] = devices;
  if (device === undefined || another !== undefined)
    throw new OAuthError('invalid_scope', 'The scope must name exactly one device');
  if (!DEVICE_ID.test(device))
    throw new OAuthError('invalid_scope', 'The device ID has other letters than A-Z a-z 0-9 - . _ ~');
  const given = asked.filter((token) => isGivenOut(token));
  if (!given.some((token) => namesIn(token, API).length > 0))
    throw new OAuthError('invalid_scope', 'The scope must have urn:matrix:client:api:*');
  return { text: given.join(' '), deviceId: parseDeviceId(device), isAdmin: given.includes(ADMIN_SCOPE) };
}

/** Whether a scope that was given is for the client-server API. */
export function isForApi(scope: string): boolean {
  return scope.split(' ').some((token) => namesIn(token, API).some((rest) => rest === ''));
}

/** The device that a scope names which was given; undefined where it names none. */
export function findDevice(scope: string): string | undefined {
  return scope.split(' ').flatMap((token) => namesIn(token, DEVICE))[0];
}

/** What stands behind the name of one kind of token; nothing where the token is of another. */
function namesIn(token: string, kind: string): string[] {
  const prefix = PREFIXES.find((one) => token.startsWith(one + kind));
  return prefix === undefined ? [] : [token.slice((prefix + kind).length)];
}

function isGivenOut(token: string): boolean {
  return token === ADMIN_SCOPE || namesIn(token, DEVICE).length > 0 || namesIn(token, API).some((rest) => rest === '');
}
