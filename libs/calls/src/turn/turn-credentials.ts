import { createHmac } from 'node:crypto';
import type { TurnConfig } from '#config/config';
import type { UserId } from '#kernel/ids';

/** What a client shows to a TURN server: client-server API, `GET /voip/turnServer`. */
export interface TurnCredentials {
  readonly username: string;
  readonly password: string;
  readonly uris: readonly string[];
  /** In seconds. */
  readonly ttl: number;
}

/**
 * Credentials that a TURN server knows by a secret that it shares with this one, and takes until they end: the end and the user as the name,
 * and its HMAC-SHA1 under the secret as the password ("A REST API For Access To TURN Services", draft-uberti-behave-turn-rest-00, 2.2; coturn's
 * `use-auth-secret`). Nothing is kept of them. `now` in milliseconds.
 */
export function turnCredentials(
  { uris, secret, lifetimeSeconds }: TurnConfig,
  userId: UserId,
  now: number,
): TurnCredentials {
  const username = `${Math.floor(now / 1_000) + lifetimeSeconds}:${userId}`;
  const password = createHmac('sha1', secret).update(username).digest('base64');
  return { username, password, uris, ttl: lifetimeSeconds };
}
