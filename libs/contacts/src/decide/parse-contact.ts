import { foldUserId, isUserId, type ServerName, type UserId } from '#kernel/ids';
import { isJsonObject, type JsonObject, type JsonValue } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { Contact, ContactAddress, VCardProperty } from '../facts/contact-facts.js';
import { findSaidAddress } from './find-address.js';
import { bytesOf } from './known-book.js';

/** How the texts of a contact are read: who is of this server, and what is an address of a medium. */
export interface ContactReading {
  readonly ours: ServerName;
  /** The canonical form of an address as people write it; undefined where it is none. */
  readonly findAddress: (medium: string, text: string) => string | undefined;
}

const MAX_CONTACT_BYTES = 16 * 1024;
const MAX_UID = 255;
const MAX_NAME = 1024;
const MAX_LABEL = 64;
/** So many addresses, user ids and further properties a contact has at most. */
const MAX_LIST = 100;
/** What lists of contacts say of each besides: it may come back, and is not kept. */
const TOLD: ReadonlySet<string> = new Set(['contact_id', 'contact_ids', 'matches', 'people']);
const PROPERTY_NAME = /^[a-z0-9-]{1,64}$/;

/** A contact as a client writes it. Throws M_BAD_JSON, M_INVALID_PARAM, and M_TOO_LARGE beyond 16 KB; nothing that it says is changed but addresses. */
export function parseContact(value: JsonValue | undefined, reading: ContactReading): Contact {
  if (!isJsonObject(value)) throw new MatrixError('M_BAD_JSON', 'A contact must be an object');
  const { uid, name, note, threepids, user_ids: userIds, vcard, ...others } = value;
  const contact = withoutUndefined({
    ...Object.fromEntries(Object.entries(others).filter(([key]) => !TOLD.has(key))),
    uid: textOf('uid', uid, MAX_UID),
    name: textOf('name', name, MAX_NAME),
    note: textOf('note', note, MAX_CONTACT_BYTES),
    threepids: listOf('threepids', threepids, (each) => parseAddress(each, reading)),
    user_ids: listOf('user_ids', userIds, (each) => parseUser(each, reading.ours)),
    vcard: listOf('vcard', vcard, parseProperty),
  });
  return checkContact(contact);
}

/** Throws M_TOO_LARGE for a contact of more than 16 KB, M_INVALID_PARAM for one that says nothing. */
export function checkContact(contact: Contact): Contact {
  if (Object.keys(contact).length === 0) throw new MatrixError('M_INVALID_PARAM', 'A contact must say something');
  if (bytesOf(contact) <= MAX_CONTACT_BYTES) return contact;
  throw new MatrixError('M_TOO_LARGE', `A contact has more than ${MAX_CONTACT_BYTES} bytes`);
}

function textOf(key: string, value: JsonValue | undefined, most: number): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'string') throw new MatrixError('M_BAD_JSON', `${key}: must be a text`);
  if (value === '' || value.length > most) {
    throw new MatrixError('M_INVALID_PARAM', `${key}: must have 1 to ${most} characters`);
  }
  return value;
}

function listOf<T>(key: string, value: JsonValue | undefined, parse: (each: JsonValue) => T): readonly T[] | undefined {
  if (value === undefined || value === null) return undefined;
  if (!Array.isArray(value)) throw new MatrixError('M_BAD_JSON', `${key}: must be a list`);
  if (value.length > MAX_LIST) throw new MatrixError('M_INVALID_PARAM', `${key}: more than ${MAX_LIST}`);
  return value.length === 0 ? undefined : value.map(parse);
}

function parseAddress(value: JsonValue, { findAddress }: ContactReading): ContactAddress {
  const { medium, address, label } = isJsonObject(value) ? value : ({} as JsonObject);
  if (typeof medium !== 'string' || typeof address !== 'string') {
    throw new MatrixError('M_BAD_JSON', 'threepids: each must have a medium and an address');
  }
  const found = findSaidAddress(medium, address, findAddress);
  if (found === undefined) throw new MatrixError('M_INVALID_PARAM', `threepids: no address of the medium ${medium}`);
  return withoutUndefined({ medium, address: found, label: textOf('label', label, MAX_LABEL) });
}

function parseUser(value: JsonValue, ours: ServerName): UserId {
  if (typeof value === 'string' && isUserId(value)) return foldUserId(value, ours);
  throw new MatrixError('M_INVALID_PARAM', 'user_ids: each must be a user ID');
}

function parseProperty(value: JsonValue): VCardProperty {
  if (isProperty(value)) return value;
  throw new MatrixError('M_BAD_JSON', 'vcard: each must be a property in the form of jCard');
}

/** Whether a value is a property of a vCard whose values are texts, or lists of such: `n` and `adr` have lists, of which some are lists. */
export function isProperty(value: unknown): value is VCardProperty {
  if (!Array.isArray(value) || value.length < 4) return false;
  const [name, parameters, type, ...values] = value as readonly unknown[];
  if (typeof name !== 'string' || !PROPERTY_NAME.test(name) || typeof type !== 'string') return false;
  if (!PROPERTY_NAME.test(type) || !isJsonObject(parameters)) return false;
  const areFine = Object.entries(parameters).every(([key, each]) => PROPERTY_NAME.test(key) && areTexts(each, 1));
  return areFine && values.every((each) => areTexts(each, 2));
}

function areTexts(value: unknown, depth: number): boolean {
  if (typeof value === 'string') return true;
  return depth > 0 && Array.isArray(value) && value.every((each) => areTexts(each, depth - 1));
}

/** What is undefined is no key. */
function withoutUndefined<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as T;
}
