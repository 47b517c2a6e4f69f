import type { Upcast } from '#event-store/fact-shapes';
import type { KeyedNames } from '#event-store/keyed-names';
import type { UserId } from '#kernel/ids';
import { type Medium, type Threepid, threepidKey } from '../threepids/threepid.js';

/**
 * Whose a third-party identifier is, by a stream of each: so that it is of one account only. The stream is called by what this server alone knows it
 * by, for the name of a stream can never be taken out of the log; that the account has it is said in the user's own stream, from where it can.
 */
const THREEPID_STREAM_PREFIX = 'threepid-';
export const threepidStream = (names: KeyedNames, threepid: Threepid): string =>
  `${THREEPID_STREAM_PREFIX}${names.nameOf('threepid of an account', threepidKey(threepid))}`;

/** `threepid-claimed`: before it is added to the account. */
export interface ThreepidClaimed {
  readonly user_id: UserId;
}

/** `threepid-released`: whose it was has it no more, or never got it. It does not say who that was, and the log lets go of what does. */
export interface ThreepidReleased {
  /** Only of facts of before. */
  readonly user_id?: UserId;
}

export interface ThreepidFacts {
  'threepid-claimed': ThreepidClaimed;
  'threepid-released': ThreepidReleased;
}

export type ThreepidFact = {
  [T in keyof ThreepidFacts]: { readonly type: T; readonly data: ThreepidFacts[T] };
}[keyof ThreepidFacts];

/** How old shapes of these facts become today's. */
export const THREEPID_SHAPES: Readonly<Record<keyof ThreepidFacts, readonly Upcast[]>> = {
  'threepid-claimed': [],
  // To the second: it does not say whose it was.
  'threepid-released': [(before) => before],
};

/**
 * In the stream of the user, `threepid-added`: a mail address or a phone number of the user's, which they showed to be theirs at `validated_at`. Without an
 * `address`: it was removed, and the log has forgotten it.
 */
export interface ThreepidAdded {
  readonly medium: Medium;
  readonly validated_at: number;
  readonly added_at: number;
  readonly address?: string;
}

/** In the stream of the user, `threepid-removed`: the account has it no more. Without an `address` as in `ThreepidAdded`. */
export interface ThreepidRemoved {
  readonly medium: Medium;
  readonly address?: string;
}
