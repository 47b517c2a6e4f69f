import { createHmac } from 'node:crypto';
import { isSameSecret } from '#kernel/is-same-secret';
import { isJsonObject, type JsonObject } from '#kernel/json';

const HEADER = encode({ alg: 'HS256', typ: 'JWT' });

/** The claims as a token under a secret: JSON Web Token (RFC 7519), by HMAC-SHA256. */
export function signWebToken(claims: JsonObject, secret: string): string {
  const signed = `${HEADER}.${encode(claims)}`;
  return `${signed}.${macOf(signed, secret).toString('base64url')}`;
}

/** The claims of a token under this secret, which has begun and not ended by `now` (in seconds); undefined where it is none. */
export function readWebToken(token: string, secret: string, now: number): JsonObject | undefined {
  const [header = '', claims = '', mac = '', ...rest] = token.split('.');
  const isOurs = isSameSecret(Buffer.from(mac, 'base64url'), macOf(`${header}.${claims}`, secret));
  if (rest.length > 0 || !isOurs) return undefined;
  const read = decode(claims);
  if (decode(header)?.['alg'] !== 'HS256' || read === undefined) return undefined;
  const { nbf = 0, exp } = read;
  return typeof nbf === 'number' && typeof exp === 'number' && nbf <= now && now < exp ? read : undefined;
}

function macOf(signed: string, secret: string): Buffer {
  return createHmac('sha256', secret).update(signed).digest();
}

function encode(value: JsonObject): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function decode(text: string): JsonObject | undefined {
  try {
    const value = JSON.parse(Buffer.from(text, 'base64url').toString('utf8')) as unknown;
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
