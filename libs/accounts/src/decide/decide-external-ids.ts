import type { NewFact } from '#event-store/event-store';
import { MatrixError } from '#kernel/matrix-error';
import type { AccountFact, AccountFacts } from '../facts/account-facts.js';
import { type ExternalId, type ExternalIdClaimed, externalIdHash } from '../facts/external-id-facts.js';
import type { Account } from './account.js';
import { checkActive } from './decide-account.js';

/** The account elsewhere is this user's from here on. Nothing where it is already. Throws as `checkActive`, M_FORBIDDEN for a guest. */
export function decideLink(account: Account, { provider, subject }: ExternalId): AccountFact[] {
  checkActive(account);
  if (account.guest) throw new MatrixError('M_FORBIDDEN', 'A guest has no account elsewhere');
  const idHash = externalIdHash({ provider, subject });
  if (account.externalIds?.includes(idHash) === true) return [];
  return [{ type: 'external-id-linked', data: { provider, id_hash: idHash, subject } }];
}

/** It is theirs no more. Nothing where it is not. */
export function decideUnlink(account: Account, { provider, subject }: ExternalId): AccountFact[] {
  const idHash = externalIdHash({ provider, subject });
  if (account.externalIds?.includes(idHash) !== true) return [];
  return [{ type: 'external-id-unlinked', data: { provider, id_hash: idHash } }];
}

type LinkFact = {
  [T in 'external-id-linked' | 'external-id-unlinked']: { readonly type: T; readonly data: AccountFacts[T] };
}['external-id-linked' | 'external-id-unlinked'];

/** The hashes of what is linked after a fact. */
export function linksAfter(links: Account['externalIds'], { type, data }: LinkFact): Account['externalIds'] {
  const others = (links ?? []).filter((one) => one !== data.id_hash);
  if (type === 'external-id-linked') return [...others, data.id_hash];
  return others.length === 0 ? undefined : others;
}

/** Who claimed an account elsewhere last, and when. */
export interface Claim extends ExternalIdClaimed {
  readonly at: number;
}

/** The claim after a fact of the stream of an account elsewhere; undefined once it is nobody's. */
export function evolveClaim(_before: Claim | undefined, { type, data, metadata }: NewFact): Claim | undefined {
  if (type === 'external-id-released') return undefined;
  const { user_id } = JSON.parse(data) as ExternalIdClaimed;
  return { user_id, at: metadata.at };
}
