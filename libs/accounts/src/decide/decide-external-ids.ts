import type { NewFact } from '#event-store/event-store';
import { MatrixError } from '#kernel/matrix-error';
import type { AccountFact, AccountFacts } from '../facts/account-facts.js';
import { type ExternalId, type ExternalIdClaimed, externalIdHash } from '../facts/external-id-facts.js';
import type { Account } from './account.js';
import { checkActive } from './decide-account.js';

/** An account elsewhere as the fold of an account has it. */
export interface LinkedId {
  readonly provider: string;
  readonly id_hash: string;
  /** At which revision that is said. */
  readonly at: number;
}

/** The account elsewhere is this user's from here on. Nothing where it is already. Throws as `checkActive`, M_FORBIDDEN for a guest. */
export function decideLink(account: Account, { provider, subject }: ExternalId): AccountFact[] {
  checkActive(account);
  if (account.guest) throw new MatrixError('M_FORBIDDEN', 'A guest has no account elsewhere');
  const idHash = externalIdHash({ provider, subject });
  if (isLinked(account, idHash)) return [];
  return [{ type: 'external-id-linked', data: { provider, id_hash: idHash, subject } }];
}

/** It is theirs no more, by its hash. Nothing where it is not. */
export function decideUnlink({ externalIds }: Account, idHash: string): AccountFact[] {
  const linked = externalIds?.find((one) => one.id_hash === idHash);
  if (linked === undefined) return [];
  return [{ type: 'external-id-unlinked', data: { provider: linked.provider, id_hash: idHash } }];
}

/** Whether the account elsewhere with this hash is the user's. */
export function isLinked({ externalIds }: Account, idHash: string): boolean {
  return externalIds?.some((one) => one.id_hash === idHash) === true;
}

/**
 * Whether an account elsewhere may become the user's for no more than its name: not where there is, or was, another one of the same provider, for names
 * there may be given to somebody else one day.
 */
export function mayLinkByName(account: Account, provider: string): boolean {
  const { exists, guest, byService, deactivated, externalIds = [], unlinkedFrom = [] } = account;
  const isOfPerson = exists && !guest && !byService && !deactivated;
  return isOfPerson && !externalIds.some((one) => one.provider === provider) && !unlinkedFrom.includes(provider);
}

type LinkFact = {
  [T in 'external-id-linked' | 'external-id-unlinked']: { readonly type: T; readonly data: AccountFacts[T] };
}['external-id-linked' | 'external-id-unlinked'];

/** What is linked, and of whom something was, after a fact. What was erased since was unlinked, too, or went with the account: of it the provider is known alone. */
export function linksAfter(account: Account, { type, data }: LinkFact, at: number): Account {
  const { provider, id_hash } = data;
  const others = (account.externalIds ?? []).filter((one) => one.id_hash !== id_hash);
  if (type === 'external-id-linked' && id_hash !== '')
    return { ...account, externalIds: [...others, { provider, id_hash, at }] };
  const unlinkedFrom = [...new Set(account.unlinkedFrom).add(provider)];
  return { ...account, externalIds: others.length === 0 ? undefined : others, unlinkedFrom };
}

/** Who claimed an account elsewhere last, and where that stands. */
export interface Claim extends ExternalIdClaimed {
  readonly at: number;
  readonly revision: number;
}

/** The claim after a fact of the stream of an account elsewhere; undefined once it is nobody's. */
export function evolveClaim(
  _before: Claim | undefined,
  { type, data, metadata }: NewFact,
  revision: number,
): Claim | undefined {
  if (type === 'external-id-released') return undefined;
  const { user_id } = JSON.parse(data) as ExternalIdClaimed;
  return { user_id, at: metadata.at, revision };
}
