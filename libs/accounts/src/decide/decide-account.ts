import type { DeviceId, UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { stillClosing } from '#kernel/still-closing';
import { userLocked } from '#kernel/user-locked';
import type { AccountFact, RateLimitOverridden, RegisteredVia, Restriction } from '../facts/account-facts.js';
import type { DevicesRemovedReason } from '../facts/session-facts.js';
import type { Account } from './account.js';

/** Throws M_NOT_FOUND for a user id nobody registered, M_USER_DEACTIVATED for one that is gone. */
export function checkActive(account: Account): void {
  if (!account.exists) throw new MatrixError('M_NOT_FOUND', 'No such user');
  if (account.deactivated) throw new MatrixError('M_USER_DEACTIVATED');
}

export interface Registration {
  readonly userId: UserId;
  readonly via: RegisteredVia;
  readonly passwordHash?: string;
  readonly admin?: boolean;
  readonly guest?: boolean;
  /** The id of the application service that registers it. */
  readonly service?: string;
}

/** A new account. Throws M_USER_IN_USE also for a deactivated one: a user id is never given out twice. */
export function decideRegistration(account: Account, registration: Registration): AccountFact[] {
  if (account.exists) throw new MatrixError('M_USER_IN_USE');
  return [
    {
      type: 'account-registered',
      data: {
        user_id: registration.userId,
        kind: registration.guest === true ? 'guest' : 'user',
        via: registration.via,
        ...(registration.service === undefined ? {} : { service: registration.service }),
        ...(registration.passwordHash === undefined ? {} : { password_hash: registration.passwordHash }),
        ...(registration.admin === true ? { admin: true } : {}),
      },
    },
  ];
}

/** A guest's account becomes a user's (module "Guest Access"). Throws M_USER_IN_USE for who is no guest, M_USER_LOCKED, and as `checkActive`. */
export function decideUpgrade(account: Account, passwordHash: string): AccountFact[] {
  checkActive(account);
  if (!account.guest) throw new MatrixError('M_USER_IN_USE');
  checkNotLocked(account);
  return [{ type: 'guest-upgraded', data: { password_hash: passwordHash } }];
}

/** The removal of all devices but `keep`; nothing where there is none. */
function removalOfDevices(account: Account, reason: DevicesRemovedReason, keep?: DeviceId): AccountFact[] {
  const ids = [...account.devices.keys()].filter((id) => id !== keep);
  return ids.length === 0 ? [] : [{ type: 'devices-removed', data: { device_ids: ids, reason } }];
}

export interface PasswordChange {
  readonly passwordHash: string;
  /** Whether the other sessions end, and which device asked and is kept. */
  readonly logoutDevices: boolean;
  readonly keepDevice?: DeviceId;
}

/** A new password. Throws as `checkActive`. */
export function decidePasswordChange(account: Account, change: PasswordChange): AccountFact[] {
  checkActive(account);
  return [
    { type: 'password-changed', data: { password_hash: change.passwordHash } },
    ...(change.logoutDevices ? removalOfDevices(account, 'password-changed', change.keepDevice) : []),
  ];
}

/** The end of the account. Nothing more where it has ended already, unless what was its is to go only now. */
export function decideDeactivation(account: Account, erase: boolean): AccountFact[] {
  if (account.deactivated) {
    return erase && account.erased !== true ? [{ type: 'account-deactivated', data: { erase } }] : [];
  }
  checkActive(account);
  return [...removalOfDevices(account, 'deactivated'), { type: 'account-deactivated', data: { erase } }];
}

/**
 * The account is open again: to who knows the new password, where there is one. Nothing where it is open. `over`: the closing that nothing follows from any more. Throws
 * M_NOT_FOUND, M_FORBIDDEN for a guest, who could never log in, and M_UNKNOWN with status 503 where the account was closed once more since.
 */
export function decideReopening(account: Account, over: number | undefined, passwordHash?: string): AccountFact[] {
  if (!account.exists) throw new MatrixError('M_NOT_FOUND', 'No such user');
  if (!account.deactivated) return [];
  if (account.guest) throw new MatrixError('M_FORBIDDEN', 'A guest has nothing to log in with again');
  if (account.closedAt !== over) throw stillClosing();
  const password = passwordHash === undefined ? undefined : { password_hash: passwordHash };
  return [
    { type: 'account-reopened', data: {} },
    ...(password === undefined ? [] : [{ type: 'password-changed', data: password } as const]),
  ];
}

/** Makes the user an administrator or takes it away. Nothing where it is so already; who was one by groups alone is one without them from then on. */
export function decideAdmin(account: Account, admin: boolean): AccountFact[] {
  checkActive(account);
  return account.admin === admin && account.adminBy === undefined ? [] : [{ type: 'admin-changed', data: { admin } }];
}

const RESTRICTS = { locked: 'account-locked', suspended: 'account-suspended' } as const;
const LIFTS = { locked: 'account-unlocked', suspended: 'account-unsuspended' } as const;

/** Restricts an account, or lifts that. Nothing where it is so already. Throws M_NOT_FOUND for one that is not there, or gone. */
export function decideRestriction(account: Account, restriction: Restriction, isOn: boolean): AccountFact[] {
  if (!account.exists || account.deactivated) throw new MatrixError('M_NOT_FOUND', 'No such user');
  // What a service has locked an operator may, too: then it is for them to lift.
  const isSo = account[restriction] === isOn && !(isOn && restriction === 'locked' && account.lockedBy !== undefined);
  return isSo ? [] : [{ type: (isOn ? RESTRICTS : LIFTS)[restriction], data: {} }];
}

/** Locks an account because an authentication service says so, or lifts what that had locked. Nothing for one that is not there, or gone. */
export function decideLockByService(account: Account, isLocked: boolean): AccountFact[] {
  const { exists, deactivated, locked, lockedBy } = account;
  if (!exists || deactivated) return [];
  if (isLocked) return locked ? [] : [{ type: 'account-locked', data: { by: 'authentication-service' } }];
  return lockedBy === undefined ? [] : [{ type: 'account-unlocked', data: {} }];
}

/** A limit of the user's own, or `undefined`: that of everybody. Nothing where it is so already. Throws M_NOT_FOUND. */
export function decideRateLimit(account: Account, limit: RateLimitOverridden | undefined): AccountFact[] {
  if (!account.exists) throw new MatrixError('M_NOT_FOUND', 'No such user');
  const { rateLimit: before } = account;
  if (before?.per_second === limit?.per_second && before?.burst === limit?.burst) return [];
  return [
    limit === undefined ? { type: 'rate-limit-restored', data: {} } : { type: 'rate-limit-overridden', data: limit },
  ];
}

/** Throws M_USER_LOCKED, as the specification wants it ("Account locking"), where nobody may use the account. */
export function checkNotLocked({ locked }: Pick<Account, 'locked'>): void {
  if (locked) throw userLocked();
}

/**
 * As `decideAdmin`, where the groups of the user at a provider of accounts say it: what an operator or another provider gave is theirs to
 * take back.
 */
export function decideAdminByGroups(account: Account, admin: boolean, provider: string): AccountFact[] {
  checkActive(account);
  if (account.admin === admin || (!admin && account.adminBy !== provider)) return [];
  return [{ type: 'admin-changed', data: { admin, provider } }];
}

/** All sessions end. */
export function decideLogoutEverywhere(account: Account): AccountFact[] {
  return removalOfDevices(account, 'logout-all');
}
