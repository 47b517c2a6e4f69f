import type { ServerPlace } from '#http/outgoing/guarded-connector';
import { placeOf } from '#http/outgoing/place-of';

/** Where a host is reached by HTTPS: a name or an address, with a port or none. Public authorities vouch for it, too: it is no homeserver. */
export function httpsPlace(host: string, mayBePrivate: boolean): ServerPlace {
  return placeOf(new URL(`https://${host}`), { mayBePrivate, trustsPublicToo: true });
}
