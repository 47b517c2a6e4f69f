import { hash } from 'node:crypto';
import type { Threepid } from '#accounts/threepids/threepid';
import type { FactShapes } from '#event-store/fact-shapes';
import type { ServerName, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';

/*
 * What this server knows as an identity server: who uses it, and whose mail addresses and phone numbers are. Apart from the accounts that it may have
 * as a homeserver.
 */

/** Who uses the identity server, whatever their homeserver: their tokens, and the terms that they accepted. */
export const IDENTITY_ACCOUNT_PREFIX = 'identity-account-';
export const identityAccountStream = (userId: UserId): string => `${IDENTITY_ACCOUNT_PREFIX}${userId}`;

/** Of whom such a stream is. */
export const userIdOfIdentityAccount = (stream: string): UserId =>
  stream.slice(IDENTITY_ACCOUNT_PREFIX.length) as UserId; // named so above

/**
 * Whose an identifier is, by a stream of each: one user's at a time. The stream is called by its hash, for a name can never be taken out of the log; in a
 * fact the identifier stands where it can.
 */
export const ASSOCIATION_PREFIX = 'association-';
export const associationStream = (threepid: Threepid): string => associationStreamOf(threepidHash(threepid));
export const associationStreamOf = (hashed: string): string => `${ASSOCIATION_PREFIX}${hashed}`;

/** The hash of the identifier that such a stream is of. */
export const hashOfAssociation = (stream: string): string => stream.slice(ASSOCIATION_PREFIX.length);

/** What stands for an identifier in names. */
export const threepidHash = ({ medium, address }: Threepid): string => hash('sha256', `${medium} ${address}`, 'hex');

/** Where a user of this server made identifiers known by it: to which identity servers, this one or others. */
export const BINDINGS_PREFIX = 'bindings-';
export const bindingsStream = (userId: UserId): string => `${BINDINGS_PREFIX}${userId}`;

/** Of whom such a stream is. */
export const userIdOfBindings = (stream: string): UserId => stream.slice(BINDINGS_PREFIX.length) as UserId; // named so above

/** The pepper of the hashes by which identifiers are looked up. */
export const PEPPER_STREAM = 'identity-pepper';

/** How far this server follows another identity server. */
export const IDENTITY_PEER_PREFIX = 'identity-peer-';
export const identityPeerStream = (peer: ServerName): string => `${IDENTITY_PEER_PREFIX}${peer}`;

/** Validations that are under way, as notes (`KeptNotes`). */
export const VALIDATIONS_STREAM = 'identity-validations';

/** Validations by other identity servers that were good for something here, as such notes: so that they are for nothing else. */
export const SHOWN_ELSEWHERE_STREAM = 'shown-elsewhere';

/** `identity-token-issued`: who has it speaks for the user. */
export interface IdentityTokenIssued {
  readonly token_hash: string;
}

/** `identity-token-ended`. */
export interface IdentityTokenEnded {
  readonly token_hash: string;
}

/** `identity-terms-accepted`: all URLs of terms that the user has accepted so far. */
export interface IdentityTermsAccepted {
  readonly urls: readonly string[];
}

/** Who may find a user: `contacts` are those of an address book that this server has. */
export type IdentityReader = 'everybody' | 'contacts' | UserId;

/** `identity-readers-set`: who may find the user by their identifiers; empty: nobody. */
export interface IdentityReadersSet {
  readonly readers: readonly IdentityReader[];
}

/** `identity-readers-learnt`: what the user said of that to another identity server, which this one trusts (`by`). Who is to find them has to be let by all. */
export interface IdentityReadersLearnt extends IdentityReadersSet {
  readonly by: ServerName;
}

/** A public key of a user for cross-signing: client-server API, "Cross-signing". */
export interface MasterKey {
  readonly user_id: UserId;
  readonly usage: readonly ['master'];
  readonly keys: Readonly<Record<string, string>>;
}

/** `identity-key-published`: the key that is told to whoever may find the user; null: none. */
export interface IdentityKeyPublished {
  readonly master_key: MasterKey | null;
}

/** `association-made`: from `ts` on, in milliseconds since the epoch, the identifier is the user's. `by`: the identity server to which that was shown. */
export interface AssociationMade {
  readonly mxid: UserId;
  readonly ts: number;
  readonly not_before: number;
  readonly not_after: number;
  readonly by: ServerName;
  /** null: erased, once it was ended. */
  readonly of: Threepid | null;
}

/** `association-ended`: from `ts` on it is nobody's. */
export interface AssociationEnded {
  readonly mxid: UserId;
  readonly ts: number;
  readonly by: ServerName;
  readonly of: Threepid | null;
}

/**
 * `association-learnt`: as `association-made`, as another identity server says that this one trusts (`by`); it has overtaken what was known here. `signatures`:
 * that server's, over what `POST /3pid/bind` answers.
 */
export interface AssociationLearnt extends AssociationMade {
  readonly signatures: JsonObject;
}

/**
 * `association-end-learnt`: what an identity server made (`made_by`, at `made_ts`) is ended, as another one says that this one trusts (`by`, at `ts`). Where that was not
 * known here it counts from now on for what is older.
 */
export interface AssociationEndLearnt extends AssociationEnded {
  readonly made_ts: number;
  readonly made_by: ServerName;
}

/** `peer-followed`: what another identity server tells is known here up to there, by its own word for that. */
export interface PeerFollowed {
  readonly next: string;
}

/** `binding-noted`: an identifier was made known to an identity server. */
export interface BindingNoted {
  readonly binding_id: string;
  readonly id_server: ServerName;
  /** null: erased, once it was ended. */
  readonly of: Threepid | null;
}

/** `binding-ended`: that server knows it no more. */
export interface BindingEnded {
  readonly binding_id: string;
}

/** `pepper-set`: by it identifiers are hashed from here on. */
export interface PepperSet {
  readonly pepper: string;
}

export interface IdentityFacts {
  'identity-token-issued': IdentityTokenIssued;
  'identity-token-ended': IdentityTokenEnded;
  'identity-terms-accepted': IdentityTermsAccepted;
  'identity-readers-set': IdentityReadersSet;
  'identity-readers-learnt': IdentityReadersLearnt;
  'identity-key-published': IdentityKeyPublished;
  'association-made': AssociationMade;
  'association-ended': AssociationEnded;
  'association-learnt': AssociationLearnt;
  'association-end-learnt': AssociationEndLearnt;
  'peer-followed': PeerFollowed;
  'binding-noted': BindingNoted;
  'binding-ended': BindingEnded;
  'pepper-set': PepperSet;
}

export type IdentityFact = {
  [T in keyof IdentityFacts]: {
    readonly type: T;
    readonly data: IdentityFacts[T];
  };
}[keyof IdentityFacts];

/** How old shapes of these facts become today's. */
export const IDENTITY_SHAPES = {
  'identity-token-issued': [],
  'identity-token-ended': [],
  'identity-terms-accepted': [],
  'identity-readers-set': [],
  'identity-readers-learnt': [],
  'identity-key-published': [],
  'association-made': [],
  'association-ended': [],
  'association-learnt': [],
  'association-end-learnt': [],
  'peer-followed': [],
  'binding-noted': [],
  'binding-ended': [],
  'pepper-set': [],
} as const satisfies FactShapes;

/** Of an association or a binding: the key of what may be erased, and what stands there then. */
export const ASSOCIATION_TAIL = Object.freeze({
  key: 'of',
  left: '"of":null}',
});

/** By which an identifier is somebody's, or known somewhere as theirs, no more: it is erased then. */
export const ENDS_OF_IDENTIFIERS: ReadonlySet<string> = new Set<IdentityFact['type']>([
  'association-ended',
  'association-end-learnt',
  'binding-ended',
]);

/** A fact of the identity server as its stream has it. */
export function readIdentityFact({ type, data }: { readonly type: string; readonly data: string }): IdentityFact {
  return { type, data: JSON.parse(data) as unknown } as IdentityFact; // written by this library
}
