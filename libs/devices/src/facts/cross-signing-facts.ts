import type { Upcast } from '#event-store/fact-shapes';
import type { UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';

/**
 * The facts of a user's stream that say with which keys a user signs their devices and other users, and what they signed. All of it is
 * public, and every signature in it held when it was written.
 */

/** What a cross-signing key is for, as the specification spells it. */
export const KEY_USAGES = ['master', 'self_signing', 'user_signing'] as const;
export type KeyUsage = (typeof KEY_USAGES)[number];

/** The cross-signing keys of a user, as they were uploaded. */
export type CrossSigningKeys = Readonly<Partial<Record<KeyUsage, JsonObject>>>;

/** `cross-signing-keys-set`: the keys that are others now. With another master key those that are not in it are gone: it signed none of them. */
export type CrossSigningKeysSet = CrossSigningKeys;

/** A signature of a user's over a key: a device's, or a master key. */
export interface KeySignature {
  /** Whose key was signed. */
  readonly user_id: UserId;
  /** The device's id, or the master key in base64. */
  readonly target: string;
  /** `ed25519:` and what signed it: a device's id, or a cross-signing key in base64. */
  readonly key_id: string;
  readonly signature: string;
  /** A hash of what was signed: of another key under the same name it says nothing. */
  readonly signed: string;
}

/** `signatures-added`: each takes the place of the one before of the same key over the same. */
export interface SignaturesAdded {
  readonly signatures: readonly KeySignature[];
}

/** type -> shape of the data, for all the facts above. */
export interface CrossSigningFacts {
  'cross-signing-keys-set': CrossSigningKeysSet;
  'signatures-added': SignaturesAdded;
}

export type CrossSigningFact = {
  [T in keyof CrossSigningFacts]: { readonly type: T; readonly data: CrossSigningFacts[T] };
}[keyof CrossSigningFacts];

/** How old shapes of these facts become today's. */
export const CROSS_SIGNING_SHAPES: Readonly<Record<keyof CrossSigningFacts, readonly Upcast[]>> = {
  'cross-signing-keys-set': [],
  'signatures-added': [],
};
