import type { UserId } from '#kernel/ids';
import { checkNoAdministrator } from '../check-no-administrator.js';
import type { AccountFact } from '../facts/account-facts.js';
import { type ExternalId, externalIdHash } from '../facts/external-id-facts.js';
import { type Threepid, threepidKey } from '../threepids/threepid.js';
import { type Account, evolveAccount } from './account.js';
import {
  decideAdmin,
  decideDeactivation,
  decideLockByService,
  decidePasswordChange,
  decideRegistration,
  decideReopening,
  decideRestriction,
} from './decide-account.js';
import { decideLink, decideUnlink } from './decide-external-ids.js';
import { decideProfileChange } from './decide-profile.js';
import { decideThreepid, decideThreepidRemoval } from './decide-threepids.js';

/** What an account is to be; what is left out stays as it is. */
export interface Provision {
  readonly passwordHash?: string | undefined;
  /** Whether its sessions go on with another password. */
  readonly keepsSessions?: boolean | undefined;
  /** An empty text: none. */
  readonly displayname?: string | undefined;
  readonly avatarUrl?: string | undefined;
  /** All that it is to have. */
  readonly threepids?: readonly Threepid[] | undefined;
  /** Likewise. */
  readonly externalIds?: readonly ExternalId[] | undefined;
  readonly admin?: boolean | undefined;
  readonly locked?: boolean | undefined;
  /** Whether an authentication service says that it is locked. */
  readonly lockedByService?: boolean | undefined;
  /** Whether it is closed. */
  readonly isClosed?: boolean | undefined;
  /** As of `decideReopening`, where it is to be opened again. */
  readonly over?: number | undefined;
}

/** No place of a fact matters to what follows in the same write. */
const NOWHERE = Object.freeze({ at: 0, revision: 0 });

/**
 * Makes an account that is not there, and has it be what is wanted, in one write. Nothing where it is so already. Throws M_USER_DEACTIVATED
 * for one that is closed, M_FORBIDDEN to lock an administrator, and as what decides each of it.
 */
export function decideProvision(before: Account, userId: UserId, wanted: Provision, now: number): AccountFact[] {
  const facts: AccountFact[] = [];
  let account = before;
  const step = (decided: readonly AccountFact[]): void => {
    facts.push(...decided);
    account = decided.reduce((state, fact) => evolveAccount(state, fact, NOWHERE), account);
  };
  const { passwordHash, keepsSessions, displayname, avatarUrl, threepids, externalIds, admin } = wanted;
  const { locked, lockedByService, isClosed, over } = wanted;
  if (!account.exists)
    step(decideRegistration(account, { userId, via: 'operator', passwordHash, admin: admin === true }));
  else if (account.deactivated && isClosed === false) step(decideReopening(account, over, passwordHash));
  else if (passwordHash !== undefined) {
    step(decidePasswordChange(account, { passwordHash, logoutDevices: keepsSessions !== true }));
  }
  if (admin !== undefined) step(decideAdmin(account, admin));
  if (displayname !== undefined) step(decideProfileChange(account, 'displayname', displayname));
  if (avatarUrl !== undefined) step(decideProfileChange(account, 'avatar_url', avatarUrl));
  if (threepids !== undefined) {
    for (const threepid of removedThreepids(account, threepids)) step(decideThreepidRemoval(account, threepid));
    for (const threepid of threepids) step(decideThreepid(account, threepid, now, now));
  }
  if (externalIds !== undefined) {
    for (const idHash of removedExternalIds(account, externalIds)) step(decideUnlink(account, idHash));
    for (const id of externalIds) step(decideLink(account, id));
  }
  if (locked !== undefined && locked !== account.locked) {
    checkNoAdministrator(account);
    step(decideRestriction(account, 'locked', locked));
  }
  if (lockedByService !== undefined) step(decideLockByService(account, lockedByService));
  if (isClosed === true) step(decideDeactivation(account, false));
  return facts;
}

/** What an account has of identifiers besides those that it is to have. */
export function removedThreepids({ threepids }: Account, wanted: readonly Threepid[]): Threepid[] {
  const kept = new Set(wanted.map(threepidKey));
  return [...threepids].filter(([key]) => !kept.has(key)).map(([, { medium, address }]) => ({ medium, address }));
}

/** The same of accounts elsewhere, by their hashes. */
function removedExternalIds({ externalIds = [] }: Account, wanted: readonly ExternalId[]): string[] {
  const kept = new Set(wanted.map(externalIdHash));
  return externalIds.map(({ id_hash }) => id_hash).filter((idHash) => !kept.has(idHash));
}
