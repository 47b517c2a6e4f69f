import type { Upcast } from '#event-store/fact-shapes';
import type { DeviceId, RoomId, UserId } from '#kernel/ids';
import type { JsonObject, JsonValue } from '#kernel/json';
import type { ThreepidAdded, ThreepidRemoved } from './threepid-facts.js';
import { LOGIN_SHAPES, type LoginFacts, type UpstreamSession } from './login-facts.js';

/**
 * The facts of a user's stream that belong to accounts. Secrets appear only as hashes: tokens as sha256 in hex, passwords as
 * argon2id. The stream begins with the registration, whose use never ends (a user id is given out once), so none of them goes from
 * the log, also where a later one says something else: folds begin at snapshots instead. What would be overtaken all the time
 * is not to stand here: see MARKS_STREAM_PREFIX.
 */

/** How an account came to be. */
export type RegisteredVia =
  | 'open'
  | 'registration-token'
  | 'shared-secret'
  | 'operator'
  | 'application-service'
  /** Somebody who has an account elsewhere: see `ExternalIdLinked`. */
  | 'external-id';

/** `account-registered`: the first fact of a user. Without a `password_hash` nobody can log in by password. */
export interface AccountRegistered {
  readonly user_id: UserId;
  /** A guest reads and, where rooms let guests in, talks; it has no password. */
  readonly kind: 'user' | 'guest';
  readonly via: RegisteredVia;
  /** The id of the application service that registered it. Of what was registered before that was noted it may have been any. */
  readonly service?: string;
  readonly password_hash?: string;
  readonly admin?: true;
}

/** `guest-upgraded`: the guest is a guest no more, and has a password. */
export interface GuestUpgraded {
  readonly password_hash: string;
}

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

/** `password-changed`. */
export interface PasswordChanged {
  readonly password_hash: string;
}

/**
 * `account-deactivated`: the password is forgotten; `erase`: the user asked for their content to be erased. It is for ever, unless an operator has it opened again:
 * `account-reopened` (no data), which gives nothing back of what had gone.
 */
export interface AccountDeactivated {
  readonly erase: boolean;
}

/** `terms-accepted`: which version of each document, by its id, the user has accepted. */
export interface TermsAccepted {
  readonly documents: Readonly<Record<string, string>>;
}

/** `admin-changed`: whether the user may use the server's administration. */
export interface AdminChanged {
  readonly admin: boolean;
  /** Whose groups said so, by the name of the provider of accounts: what they gave they take back. Absent: an operator did. */
  readonly provider?: string;
}

/**
 * `account-locked` and `account-unlocked`: nobody may use the account (its sessions stay, for when they may again). `account-suspended` and
 * `account-unsuspended`: it is only to read with. Which of the two an account is says nothing of the other.
 */
export interface AccountRestricted {
  /** Of a lock: the authentication service that says who somebody is wants it so, and may lift it. Absent: an operator does. */
  readonly by?: 'authentication-service';
}

/**
 * `rate-limit-overridden`: an operator has set how much the user may ask for, in place of the limits of each class of requests; `per_second` 0:
 * as much as they like. `rate-limit-restored` (no data): as everybody.
 */
export interface RateLimitOverridden {
  readonly per_second: number;
  readonly burst: number;
}

/** In which way an account is restricted. */
export type Restriction = 'locked' | 'suspended';

/** `profile-changed`: one key of the profile; `removed` instead of a value when it was deleted. */
export interface ProfileChanged {
  readonly key: string;
  readonly value?: JsonValue;
  readonly removed?: true;
}

/** What has access lists: the fields of the profile, the account's private data, and being found by the addresses of a medium. */
export type ListedData = 'profile' | 'user-data' | 'threepids';

/**
 * Who may read something: everybody, users who share a room with its owner, the owner's contacts, those of a group of the owner's presence
 * list, a user.
 */
export type ReaderEntry = 'everybody' | 'rooms' | 'contacts' | `group:${string}` | UserId;

/** Who may read what has no list: profiles are for everybody, private data for nobody, and nobody is found by an address. */
export const READERS_BY_DEFAULT: Readonly<Record<ListedData, readonly ReaderEntry[]>> = {
  profile: ['everybody'],
  'user-data': [],
  threepids: [],
};

/**
 * `readers-set`: who may read a field of the profile or a piece of private data, its owner aside, or find the user by the addresses of a medium;
 * nobody where the list is empty. `removed` instead: as it is without a list.
 */
export interface ReadersSet {
  readonly of: ListedData;
  readonly key: string;
  readonly readers?: readonly ReaderEntry[];
  readonly removed?: true;
}

/** `account-data-set`: private data of the user, for a room or (without `room_id`) for the account. */
export interface AccountDataSet {
  readonly room_id?: RoomId;
  readonly type: string;
  readonly content: JsonObject;
}

/** `tag-set` and `tag-removed`: one tag of one room. */
export interface TagSet {
  readonly room_id: RoomId;
  readonly tag: string;
  readonly content: JsonObject;
}
export interface TagRemoved {
  readonly room_id: RoomId;
  readonly tag: string;
}

/** `room-succeeded`: what the user kept about room `from` has followed them into `to`, which replaces it. Once for ever. */
export interface RoomSucceeded {
  readonly from: RoomId;
  readonly to: RoomId;
}

/** `filter-created`: the id is derived from the filter, so that the same filter has the same id. Clients keep ids: its use never ends. */
export interface FilterCreated {
  readonly filter_id: string;
  readonly filter: JsonObject;
}

/** type -> shape of the data, for all the facts above. */
export interface AccountFacts extends LoginFacts {
  'account-registered': AccountRegistered;
  'guest-upgraded': GuestUpgraded;
  'device-added': DeviceAdded;
  'device-renamed': DeviceRenamed;
  'device-dehydrated': DeviceDehydrated;
  'devices-removed': DevicesRemoved;
  'tokens-refreshed': TokensRefreshed;
  'tokens-confirmed': TokensConfirmed;
  'password-changed': PasswordChanged;
  'account-deactivated': AccountDeactivated;
  'account-reopened': Record<string, never>;
  'terms-accepted': TermsAccepted;
  'threepid-added': ThreepidAdded;
  'threepid-removed': ThreepidRemoved;
  'admin-changed': AdminChanged;
  'account-locked': AccountRestricted;
  'account-unlocked': AccountRestricted;
  'account-suspended': AccountRestricted;
  'account-unsuspended': AccountRestricted;
  'rate-limit-overridden': RateLimitOverridden;
  'rate-limit-restored': Record<string, never>;
  'profile-changed': ProfileChanged;
  'readers-set': ReadersSet;
  'account-data-set': AccountDataSet;
  'tag-set': TagSet;
  'tag-removed': TagRemoved;
  'room-succeeded': RoomSucceeded;
  'filter-created': FilterCreated;
}

/** A fact of an account before it is sealed and appended, or after it was parsed. */
export type AccountFact = {
  [T in keyof AccountFacts]: { readonly type: T; readonly data: AccountFacts[T] };
}[keyof AccountFacts];

/** How old shapes of these facts become today's. */
export const ACCOUNT_SHAPES: Readonly<Record<keyof AccountFacts, readonly Upcast[]>> = {
  ...LOGIN_SHAPES,
  'account-registered': [],
  'guest-upgraded': [],
  'device-added': [],
  'device-renamed': [],
  'device-dehydrated': [],
  'devices-removed': [],
  'tokens-refreshed': [],
  'tokens-confirmed': [],
  'password-changed': [],
  'account-deactivated': [],
  'account-reopened': [],
  'terms-accepted': [],
  'threepid-added': [],
  'threepid-removed': [],
  'admin-changed': [],
  'account-locked': [],
  'account-unlocked': [],
  'account-suspended': [],
  'account-unsuspended': [],
  'rate-limit-overridden': [],
  'rate-limit-restored': [],
  'profile-changed': [],
  'readers-set': [],
  'account-data-set': [],
  'tag-set': [],
  'tag-removed': [],
  'room-succeeded': [],
  'filter-created': [],
};
