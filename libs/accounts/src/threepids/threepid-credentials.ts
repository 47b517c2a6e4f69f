import { isJsonObject, type JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { SessionName } from './validation-sessions.js';

/** By which a client shows a validation: client-server API, `threepid_creds`. */
export interface ThreepidCredentials extends SessionName {
  /** The identity server to which it was shown; absent where it was this server. */
  readonly idServer?: string;
  /** The user's token of that one; those of 2015 had none. */
  readonly idAccessToken?: string;
}

/** Today's form, and that of 2015. Throws M_MISSING_PARAM. */
export function parseCredentials(given: JsonObject): ThreepidCredentials {
  const { sid } = given;
  const clientSecret = given['client_secret'] ?? given['clientSecret'];
  if (typeof sid !== 'string' || typeof clientSecret !== 'string') {
    throw new MatrixError('M_MISSING_PARAM', 'threepid_creds: sid and client_secret are required');
  }
  const idServer = given['id_server'] ?? given['idServer'];
  const idAccessToken = given['id_access_token'];
  return {
    sid,
    clientSecret,
    ...(typeof idServer === 'string' ? { idServer } : {}),
    ...(typeof idAccessToken === 'string' ? { idAccessToken } : {}),
  };
}

/** Those that a stage is sent, also as a list, of which one is enough; undefined where it is sent none. Throws M_BAD_JSON, M_MISSING_PARAM. */
export function findCredentials(auth: JsonObject): ThreepidCredentials | undefined {
  const given = auth['threepid_creds'] ?? auth['threepidCreds'];
  if (given === undefined) return undefined;
  const one: unknown = Array.isArray(given) ? given[0] : given;
  if (!isJsonObject(one)) throw new MatrixError('M_BAD_JSON', 'threepid_creds: must be an object');
  return parseCredentials(one);
}
