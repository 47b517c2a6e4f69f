import type { FactShapes } from '#event-store/fact-shapes';
import type { UserId } from '#kernel/ids';

/** Whose content was erased, and is to be erased again where an earlier log takes the place of this one. It holds nothing of the content. */
export const ERASURES_STREAM = 'erasures';

/** How many of each kind there are. */
export type Counts = Readonly<Record<string, number>>;

/** `erasure-ordered`: the account is to be closed, and what was its is to go. */
export interface ErasureOrdered {
  readonly erasure_id: string;
  readonly user_id: UserId;
  /** Also what the user has said in rooms, for everybody. Else that is only kept from who comes later. */
  readonly content?: true;
  /** Of what the user said other servers are not told: it goes here alone. */
  readonly here?: true;
  /** When it was ordered first, in milliseconds since the epoch: a log of before took the place of the one that said so. */
  readonly again?: number;
  /** When the account was made, in milliseconds since the epoch: another one of that name, in a log of before, was made in another moment. What was ordered before this was noted does not say it. */
  readonly made?: number;
  /** When the account was opened again last before that, in milliseconds since the epoch: what was erased before is another erasure. */
  readonly reopened?: number;
}

/** `erasure-begun`: what there was, as of then. */
export interface ErasureBegun {
  readonly erasure_id: string;
  readonly found: Counts;
}

/** `erasure-ended`: what has gone, and what has not; or why nothing was done. */
export interface ErasureEnded {
  readonly erasure_id: string;
  readonly removed: Counts;
  readonly kept: Counts;
  readonly refused?: string;
}

/** `account-erased`: somebody closed their account, or an operator did, and what was its is to go: as `erasure-ordered` without `content`, and done. */
export interface AccountErased {
  readonly user_id: UserId;
  /** As in `ErasureOrdered`. */
  readonly made?: number;
  readonly reopened?: number;
}

export interface ErasureFacts {
  'erasure-ordered': ErasureOrdered;
  'erasure-begun': ErasureBegun;
  'erasure-ended': ErasureEnded;
  'account-erased': AccountErased;
}

/** How old shapes of these facts become today's. */
export const ERASURE_SHAPES = {
  'erasure-ordered': [],
  'erasure-begun': [],
  'erasure-ended': [],
  'account-erased': [],
} as const satisfies FactShapes;
