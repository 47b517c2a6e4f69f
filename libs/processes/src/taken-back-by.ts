import type { AccountFact } from '#accounts/facts/account-facts';
import type { TakenBackBy } from '#projections/runtime-parts';

/** By which facts others are taken back, once all that follows from those is done. */
export const TAKEN_BACK_BY: TakenBackBy = {
  'account-deactivated': 'account-reopened',
} satisfies Partial<Record<AccountFact['type'], AccountFact['type']>>;
