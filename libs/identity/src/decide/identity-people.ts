import { foldUserId, isUserId, type ServerName } from '#kernel/ids';
import { isJsonObject, type JsonObject, type JsonValue } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { IdentityReader, MasterKey } from '../facts/identity-facts.js';

/** More than somebody writes down one by one. */
export const MOST_READERS = 500;
const KEY_ID = /^ed25519:([A-Za-z0-9+/]{43})$/;

/**
 * Who may find somebody, as their client says it: `everybody`, `contacts` (of users of this homeserver, whose address books it has), user IDs; nobody where it is
 * empty. Throws M_BAD_JSON, M_INVALID_PARAM.
 */
export function parseIdentityReaders(value: JsonValue | undefined, ours: ServerName): readonly IdentityReader[] {
  if (!Array.isArray(value)) throw new MatrixError('M_BAD_JSON', 'readers: must be a list');
  if (value.length > MOST_READERS) throw new MatrixError('M_INVALID_PARAM', `readers: ${MOST_READERS} at most`);
  const entries = new Set(value.map((entry) => parseReader(entry, ours)));
  return entries.has('everybody') ? ['everybody'] : [...entries].toSorted();
}

function parseReader(entry: JsonValue, ours: ServerName): IdentityReader {
  if (entry === 'everybody' || entry === 'contacts') return entry;
  if (typeof entry === 'string' && isUserId(entry)) return foldUserId(entry, ours);
  throw new MatrixError('M_INVALID_PARAM', "readers: each is 'everybody', 'contacts' or a user ID");
}

/** The public master key of somebody (client-server API, "Cross-signing"), and nothing else of what their client says. Throws M_BAD_JSON, M_INVALID_PARAM. */
export function parseMasterKey(value: JsonValue | undefined, userId: string): MasterKey {
  if (!isJsonObject(value)) throw new MatrixError('M_BAD_JSON', 'master_key: must be an object');
  const { user_id: of, usage, keys } = value as JsonObject;
  const isMaster = Array.isArray(usage) && usage.length === 1 && usage[0] === 'master';
  const [entry, ...others] = isJsonObject(keys) ? Object.entries(keys) : [];
  const [keyId = '', key] = entry ?? [];
  const isKey = KEY_ID.exec(keyId)?.[1] === key && key !== undefined && others.length === 0;
  if (of !== userId || !isMaster || !isKey || typeof key !== 'string') {
    throw new MatrixError('M_INVALID_PARAM', 'master_key: must be the master key of who asks');
  }
  return { user_id: userId as MasterKey['user_id'], usage: ['master'], keys: { [keyId]: key } };
}
