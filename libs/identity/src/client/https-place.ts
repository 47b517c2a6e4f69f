import type { ServerPlace } from '#http/outgoing/guarded-connector';
import { placeOf } from '#http/outgoing/place-of';
import { isJsonObject, type JsonObject } from '#kernel/json';

/** Where a host is reached by HTTPS: a name or an address, with a port or none. Public authorities vouch for it, too: it is no homeserver. */
export function httpsPlace(host: string, mayBePrivate: boolean): ServerPlace {
  return placeOf(new URL(`https://${host}`), { mayBePrivate, trustsPublicToo: true });
}

/** The object that was answered; undefined where it is none. */
export function readObject(bytes: Buffer): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(bytes.toString());
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
