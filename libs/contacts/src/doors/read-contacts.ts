import type { FastifyRequest } from 'fastify';
import { readJsonBody } from '#http/json-body';
import { type Query, queryText } from '#http/query';
import type { ServerName } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { each } from '#kernel/steps';
import { phoneReader } from '#phones/phone-numbers';
import { inTurns } from '#projections/turn';
import { findAddress } from '../decide/find-address.js';
import { type ContactReading, parseContact } from '../decide/parse-contact.js';
import { vCardText } from '../decide/vcard-text.js';
import { MAX_VCARDS, readVCards } from '../decide/vcards.js';
import type { Contact } from '../facts/contact-facts.js';

/** As much as every JSON body may have. */
const MAX_JSON = 1024 * 1024;

/**
 * How the contacts of a request are read: `country` says of which country phone numbers are that name none; without it those alone count that name theirs.
 * Throws M_INVALID_PARAM.
 */
export async function readingOf(ours: ServerName, query: Query): Promise<ContactReading> {
  const country = queryText(query, 'country');
  const read = country === undefined ? undefined : await phoneReader(country);
  const readPhone = (text: string): string | undefined => read?.(text)?.digits;
  return { ours, findAddress: (medium, text) => findAddress(medium, text, readPhone) };
}

/** The contacts of a body: vCards where its type says so, else JSON: `{"contacts": […]}`. Throws as `readVCards` and `parseContact`. */
export async function readContacts(request: FastifyRequest, reading: ContactReading): Promise<Contact[]> {
  const { body, headers } = request;
  const type = headers['content-type'] ?? '';
  if (/^text\/(?:x-)?v(?:card|-card)\b|^text\/directory\b/i.test(type)) {
    const charset = /;\s*charset="?([\w-]{1,40})/i.exec(type)?.[1];
    const text = Buffer.isBuffer(body) ? await inTurns(vCardText(body, charset)) : '';
    return inTurns(readVCards(text, reading));
  }
  if (Buffer.isBuffer(body) && body.length > MAX_JSON) throw new MatrixError('M_TOO_LARGE');
  const { contacts } = readJsonBody(request);
  if (contacts === undefined) throw new MatrixError('M_MISSING_PARAM', 'contacts: required');
  if (!Array.isArray(contacts)) throw new MatrixError('M_BAD_JSON', 'contacts: must be a list');
  if (contacts.length > MAX_VCARDS) throw new MatrixError('M_TOO_LARGE', `More than ${MAX_VCARDS} contacts at once`);
  const read: Contact[] = [];
  await inTurns(each(contacts, (contact) => void read.push(parseContact(contact, reading)), 1));
  return read;
}
