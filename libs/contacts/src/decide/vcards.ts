import ICAL from 'ical.js';
import { isUserId, type UserId } from '#kernel/ids';
import type { JsonValue } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { each as forEach, type Steps } from '#kernel/steps';
import type { Contact, ContactAddress, VCardProperty } from '../facts/contact-facts.js';
import { checkContact, type ContactReading, isProperty, parseContact } from './parse-contact.js';
import { cardTooLarge, MAX_CARD_CHARACTERS, plainVCards } from './plain-vcards.js';

/** So many vCards at once. */
export const MAX_VCARDS = 1_000;
/** What says nothing of a person, or is told by a key of ours. */
const LEFT_OUT: ReadonlySet<string> = new Set(['version', 'prodid', 'rev', 'uid', 'fn', 'note']);
const TYPES: ReadonlySet<string> = new Set([
  'text',
  'uri',
  'date',
  'date-time',
  'date-and-or-time',
  'timestamp',
  'unknown',
]);
const MAX_PROPERTIES = 100;
const MAX_LABEL = 64;

/**
 * What vCards (RFC 6350; 3.0 and 2.1 too) say, in steps. What cannot be read as an address stays among the properties as it was written.
 * Throws M_INVALID_PARAM for text that is none, and M_TOO_LARGE.
 */
export function* readVCards(text: string, reading: ContactReading): Steps<Contact[]> {
  const plain = yield* plainVCards(text.replace(/^\uFEFF/, ''));
  const cards = plain.split(/^(?=BEGIN:VCARD\s*$)/im, MAX_VCARDS + 2).filter((card) => card.trim() !== '');
  if (cards.length === 0) throw new MatrixError('M_INVALID_PARAM', 'There is no vCard');
  if (cards.length > MAX_VCARDS)
    throw new MatrixError('M_TOO_LARGE', `More than ${MAX_VCARDS} vCards are not taken at once`);
  const contacts: Contact[] = [];
  for (const card of cards) {
    if (card.length > MAX_CARD_CHARACTERS) throw cardTooLarge();
    yield;
    const properties = parseCard(card);
    yield;
    contacts.push(yield* contactOf(properties, reading));
  }
  return contacts;
}

/** The properties of a vCard. */
function parseCard(text: string): VCardProperty[] {
  let parsed: unknown;
  try {
    parsed = ICAL.parse(text);
  } catch {
    // Whatever the parser stumbles over: what it says of it holds what was written.
    throw new MatrixError('M_INVALID_PARAM', 'This is no vCard');
  }
  const [name, properties] = Array.isArray(parsed) ? (parsed as readonly unknown[]) : [];
  if (name !== 'vcard' || !Array.isArray(properties)) throw new MatrixError('M_INVALID_PARAM', 'This is no vCard');
  return properties.map((property: unknown) => asTexts(property)).filter(isProperty);
}

/** Numbers and the like as text: what is none of our business goes out as it came in. */
function asTexts(property: unknown): unknown {
  if (!Array.isArray(property)) return property;
  return property.map((each: unknown, at) => (at > 2 && typeof each !== 'object' ? String(each) : each));
}

/** What the properties of a vCard say, a step for some of them: it takes a while to see whether something is a phone number. */
function* contactOf(properties: readonly VCardProperty[], reading: ContactReading): Steps<Contact> {
  const threepids: ContactAddress[] = [];
  const userIds: UserId[] = [];
  const rest: VCardProperty[] = [];
  yield* forEach(properties, (property) => {
    const address = addressOf(property, reading);
    const userId = userOf(property);
    if (address !== undefined) threepids.push(address);
    else if (userId !== undefined) userIds.push(userId);
    else if (!LEFT_OUT.has(property[0]) && textOf(property) !== '') rest.push(property);
  });
  const say = (name: string): string[] =>
    properties.flatMap((each) => (each[0] === name ? textOf(each).trim() : '')).filter((each) => each !== '');
  const notes = say('note').join('\n');
  const contact = {
    uid: say('uid')[0],
    name: say('fn')[0] ?? nameOf(properties),
    note: notes === '' ? undefined : notes,
    threepids: threepids.slice(0, MAX_PROPERTIES),
    user_ids: userIds.slice(0, MAX_PROPERTIES),
    vcard: rest.slice(0, MAX_PROPERTIES),
  };
  // By the rules of contacts that come as JSON, of which half a character is none.
  const text = JSON.stringify(contact, (_, each: unknown) => (typeof each === 'string' ? each.toWellFormed() : each));
  return checkContact(parseContact(JSON.parse(text) as JsonValue, reading));
}

/** What `fn` should say, where there is none: the given name and the family's. */
function nameOf(properties: readonly VCardProperty[]): string | undefined {
  const said = properties.find(([name]) => name === 'n')?.[3] ?? [];
  // Without semicolons it is no list.
  const [family, given]: readonly unknown[] = typeof said === 'string' ? [said] : said;
  const name = [given, family].filter((each) => typeof each === 'string' && each !== '').join(' ');
  return name === '' ? undefined : name;
}

function addressOf(property: VCardProperty, { findAddress }: ContactReading): ContactAddress | undefined {
  const [name, { type }] = property;
  const medium = name === 'email' ? 'email' : name === 'tel' ? 'msisdn' : undefined;
  if (medium === undefined) return undefined;
  const address = findAddress(medium, textOf(property).replace(/^(?:tel|mailto):/i, ''));
  if (address === undefined) return undefined;
  const label = (typeof type === 'string' ? [type] : (type ?? [])).join(',').toLowerCase().slice(0, MAX_LABEL);
  return { medium, address, ...(label === '' ? {} : { label }) };
}

/** A user by a URI of Matrix (appendices, "Matrix URI scheme") or, as address books write it, by the id. */
function userOf(property: VCardProperty): UserId | undefined {
  if (property[0] !== 'impp' && property[0] !== 'x-matrix') return undefined;
  const [uri = ''] = textOf(property).split(/[?#]/, 1);
  // Of a room, or an event.
  if (/^matrix:(?!u\/|@)[^/]*\//i.test(uri)) return undefined;
  const decoded = decode(uri.replace(/^matrix:(?:u\/)?/i, ''));
  const userId = decoded.startsWith('@') ? decoded : `@${decoded}`;
  const isMatrix = /^matrix:/i.test(textOf(property)) || property[0] === 'x-matrix' || decoded.startsWith('@');
  return isMatrix && isUserId(userId) ? userId : undefined;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function textOf(property: VCardProperty): string {
  const [, , , value = ''] = property;
  return typeof value === 'string' ? value : value.flat().join(' ');
}

/** Contacts as vCards of version 4.0, a step for some of them. */
export function* writeVCards(contacts: readonly Contact[]): Steps<string> {
  const cards: string[] = [];
  yield* forEach(contacts, (contact) => void cards.push(writeVCard(contact)));
  return cards.join('');
}

/** A contact as a vCard of version 4.0. */
export function writeVCard(contact: Contact): string {
  const { uid, name, note, threepids = [], user_ids: userIds = [], vcard = [] } = contact;
  const properties: VCardProperty[] = [['version', {}, 'text', '4.0']];
  if (uid !== undefined) properties.push(['uid', {}, 'text', uid]);
  properties.push(['fn', {}, 'text', name ?? threepids[0]?.address ?? userIds[0] ?? '?']);
  for (const { medium, address, label } of threepids) {
    const parameters: Record<string, string> = label === undefined ? {} : { type: label };
    if (medium === 'email') properties.push(['email', parameters, 'text', address]);
    if (medium === 'msisdn') properties.push(['tel', { ...parameters, value: 'uri' }, 'uri', `tel:+${address}`]);
  }
  for (const userId of userIds) properties.push(['impp', {}, 'uri', `matrix:u/${encodeURI(userId.slice(1))}`]);
  if (note !== undefined) properties.push(['note', {}, 'text', note]);
  const written = [...properties, ...vcard].map(onOneLine);
  return ICAL.stringify(['vcard', written, []]);
}

/** Nobody writes lines of another property by a value of one: text is escaped, and nothing else may have what ends a line. */
function onOneLine([name, parameters, type, ...values]: VCardProperty): unknown[] {
  const known = TYPES.has(type) ? type : 'text';
  const clean = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(clean);
    const text = String(value);
    return known === 'text'
      ? text.replaceAll(/(?![\n\t])[\p{Cc}\u2028\u2029]/gu, ' ')
      : text.replaceAll(/[\p{Cc}\u2028\u2029]/gu, ' ');
  };
  const said = Object.entries(parameters).map(([key, value]) => {
    const texts = (typeof value === 'string' ? [value] : value).map((each) =>
      each.replaceAll(/[\p{Cc}"\u2028\u2029]/gu, ' '),
    );
    return [key, texts.length === 1 ? texts[0] : texts] as const;
  });
  return [name, Object.fromEntries(said), known, ...values.map(clean)];
}
