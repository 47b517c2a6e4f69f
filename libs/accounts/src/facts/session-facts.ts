import type { Upcast } from '#event-store/fact-shapes';
import type { DeviceId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { UpstreamSession } from './login-facts.js';

/* The facts of a user's stream of the devices on which they are logged in, and of the tokens of these. */

/** Of a session that an application has by the OAuth 2.0 API: whose it is, and what it may. */
export interface OAuthSession {
  /** sha256 of the id that the application has here. */
  readonly client: string;
  readonly client_name?: string;
  readonly client_uri: string;
  /** What the user has let it do, in the words of the specification. */
  readonly scope: string;
  /** sha256 of what all refresh tokens of the session have in common. */
  readonly family: string;
  /** sha256 of the code for which it was given. */
  readonly grant: string;
}

/**
 * `device-added`: a login bound this device. Tokens the device held before are void from here on. Where the device was known
 * already it keeps its display name.
 */
export interface DeviceAdded {
  readonly device_id: DeviceId;
  readonly token_hash: string;
  readonly refresh_hash?: string;
  /** When the access token ends, in milliseconds since the epoch; absent: never. */
  readonly expires_at?: number;
  readonly display_name?: string;
  /** The id of the application service whose session it is, opened for a person: as whom it may then do no more than as it speaks for them. */
  readonly service?: string;
  readonly oauth?: OAuthSession;
  readonly upstream?: UpstreamSession;
}

/** `device-renamed`. */
export interface DeviceRenamed {
  readonly device_id: DeviceId;
  readonly display_name: string;
}

/**
 * `device-dehydrated`: a device that no client holds is kept for the user (MSC3814): `device_data` is what a client makes it of, and
 * can be read by none but the user's. It takes the place of the one before, whose data stands at the revision `overtakes`.
 */
export interface DeviceDehydrated {
  readonly device_id: DeviceId;
  readonly overtakes?: number;
  readonly device_data: JsonObject;
}

/** `token-replayed`: a refresh token, or a code, of the session was used again after it was void: somebody else may have it. */
export type DevicesRemovedReason =
  | 'logout'
  | 'logout-all'
  | 'deleted'
  | 'password-changed'
  | 'deactivated'
  | 'token-replayed';

/** `devices-removed`: the devices and all their tokens are gone. */
export interface DevicesRemoved {
  readonly device_ids: readonly DeviceId[];
  readonly reason: DevicesRemovedReason;
}

/**
 * `tokens-refreshed`: the refresh token behind `used` was exchanged. What it belongs to stays valid until the new pair is
 * first used, so that a client that lost the answer can ask again.
 */
export interface TokensRefreshed {
  readonly device_id: DeviceId;
  readonly used: string;
  readonly token_hash: string;
  readonly refresh_hash: string;
  readonly expires_at: number;
}

/** `tokens-confirmed`: the client has used the pair it got by a refresh; the pair before it is void. */
export interface TokensConfirmed {
  readonly device_id: DeviceId;
  readonly token_hash: string;
}

/** type -> shape of the data, for the facts above. */
export interface SessionFacts {
  'device-added': DeviceAdded;
  'device-renamed': DeviceRenamed;
  'device-dehydrated': DeviceDehydrated;
  'devices-removed': DevicesRemoved;
  'tokens-refreshed': TokensRefreshed;
  'tokens-confirmed': TokensConfirmed;
}

/** How old shapes of these facts become today's. */
export const SESSION_SHAPES: Readonly<Record<keyof SessionFacts, readonly Upcast[]>> = {
  'device-added': [],
  'device-renamed': [],
  'device-dehydrated': [],
  'devices-removed': [],
  'tokens-refreshed': [],
  'tokens-confirmed': [],
};
