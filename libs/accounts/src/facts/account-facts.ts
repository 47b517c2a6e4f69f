import type { Upcast } from '#event-store/fact-shapes';
import type { RoomId, UserId } from '#kernel/ids';
import type { JsonObject, JsonValue } from '#kernel/json';
import type { ThreepidAdded, ThreepidRemoved } from './threepid-facts.js';
import { LOGIN_SHAPES, type LoginFacts } from './login-facts.js';
import { SESSION_SHAPES, type SessionFacts } from './session-facts.js';

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
export interface AccountFacts extends LoginFacts, SessionFacts {
  'account-registered': AccountRegistered;
  'guest-upgraded': GuestUpgraded;
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
  ...SESSION_SHAPES,
  'account-registered': [],
  'guest-upgraded': [],
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
