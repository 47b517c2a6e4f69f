import { type JsonObject, isJsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { phoneReader } from '#phones/phone-numbers';
import { findThreepid, type Threepid } from '../threepids/threepid.js';

/**
 * Whom a log-in names, by a user id, its localpart or an address: in `identifier` (client-server API, "Identifier types") or in the keys of
 * older clients; undefined where an address is none. Throws M_MISSING_PARAM, M_BAD_JSON, and M_UNKNOWN (400) for an unknown type of identifier.
 */
export async function findNamed(body: JsonObject): Promise<string | Threepid | undefined> {
  const { identifier, user, medium, address } = body;
  if (identifier === undefined) {
    // A localpart has no @ in it.
    if (typeof user === 'string') return /^[^@]+@/.test(user) ? findThreepid('email', user) : user;
    if (medium !== undefined || address !== undefined) return addressIn(medium, address);
    throw new MatrixError('M_MISSING_PARAM', 'identifier: required');
  }
  if (!isJsonObject(identifier)) throw new MatrixError('M_BAD_JSON', 'identifier: must be an object');
  // Without a type too: so stands an address in the text of "Login" itself.
  const type = identifier['type'] ?? ('medium' in identifier ? 'm.id.thirdparty' : undefined);
  if (type === 'm.id.thirdparty') return addressIn(identifier['medium'], identifier['address']);
  if (type === 'm.id.phone') return phoneIn(identifier);
  if (type !== 'm.id.user') {
    throw new MatrixError('M_UNKNOWN', 'Unknown type of identifier', { status: 400 });
  }
  const named = identifier['user'];
  if (typeof named !== 'string') throw new MatrixError('M_MISSING_PARAM', 'identifier.user: required');
  return named;
}

function addressIn(medium: unknown, address: unknown): Threepid | undefined {
  if (typeof medium !== 'string' || typeof address !== 'string') {
    throw new MatrixError('M_MISSING_PARAM', 'medium and address: required');
  }
  return findThreepid(medium, address);
}

/** `number` is what `phone` was called before. */
async function phoneIn({ country, phone: today, number: before }: JsonObject): Promise<Threepid | undefined> {
  const phone = today ?? before;
  if (typeof country !== 'string' || typeof phone !== 'string') {
    throw new MatrixError('M_MISSING_PARAM', 'country and phone: required');
  }
  const read = await phoneReader(country);
  const number = read(phone);
  return number === undefined ? undefined : findThreepid('msisdn', number.digits);
}
