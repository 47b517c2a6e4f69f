import { randomBytes } from 'node:crypto';
import type { Threepid } from '#accounts/threepids/threepid';
import type { FactShapes } from '#event-store/fact-shapes';
import type { KeyedNames } from '#event-store/keyed-names';
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
 * Whose an identifier is, by a stream of each: one user's at a time. The stream has a name (`identifierName`), for the name of a stream can never be taken out of the log; what
 * the identifier is, and whose, stands in its facts where it can.
 */
export const ASSOCIATION_PREFIX = 'association-';
export const associationStream = (name: string): string => `${ASSOCIATION_PREFIX}${name}`;

/** The name of the identifier that such a stream is of. */
export const nameOfAssociation = (stream: string): string => stream.slice(ASSOCIATION_PREFIX.length);

/** What stands for an identifier in names: this server alone can tell which it is. */
export const identifierName = (names: KeyedNames, { medium, address }: Threepid): string =>
  names.nameOf('identifier', `${medium} ${address}`);

/** An association that is over before it was known here what it is of, or that what was made here has overtaken: so that it is not learnt later. */
export const ENDED_ASSOCIATION_PREFIX = 'ended-association-';
export const endedAssociationStream = (associationId: string): string => `${ENDED_ASSOCIATION_PREFIX}${associationId}`;

/** Of which association such a stream is. */
export const idOfEndedAssociation = (stream: string): string => stream.slice(ENDED_ASSOCIATION_PREFIX.length);

const ID_BYTES = 16;
/** What an association is called, by all identity servers: it says nothing of what it is of, nor of whom. */
export const makeAssociationId = (): string => randomBytes(ID_BYTES).toString('base64url');

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
  /** What `trustedSince` said of the account of this server for which it was made: with another answer it is over. */
  readonly trusted_since?: number;
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

/**
 * `association-made`: from `ts` on, in milliseconds since the epoch, the identifier is the user's. `by`: the identity server to which that was shown. What it is of, and of whom,
 * is erased once it has ended: then `of` is null, and there is nothing else of that.
 */
export interface AssociationMade {
  readonly association_id: string;
  readonly ts: number;
  readonly not_before: number;
  readonly not_after: number;
  readonly by: ServerName;
  readonly of: Threepid | null;
  readonly mxid?: UserId;
}

/** `association-ended`: from `ts` on it is nobody's, or whoever the next fact says. */
export interface AssociationEnded {
  readonly association_id: string;
  readonly ts: number;
  readonly by: ServerName;
}

/**
 * `association-learnt`: as `association-made`, as another identity server says that this one trusts (`by`); it has overtaken what was known here. `signatures`:
 * that server's, over what `POST /3pid/bind` answers. Where it was known to be over already `of` is null from the beginning.
 */
export interface AssociationLearnt extends AssociationMade {
  readonly signatures?: JsonObject;
}

/** `association-end-learnt`: as `association-ended`, as another identity server says that this one trusts (`by`), or by what that says to be newer. */
export type AssociationEndLearnt = AssociationEnded;

/** In `ended-association-{id}`, `association-end-heard`: an identity server that this one trusts (`by`) says that it is over, since `ts`. */
export interface AssociationEndHeard {
  readonly ts: number;
  readonly by: ServerName;
}

/** In `ended-association-{id}`, `association-overtaken`: what was made here is newer (`ts`), whether that has ended or not. */
export interface AssociationOvertaken {
  readonly ts: number;
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
  'association-end-heard': AssociationEndHeard;
  'association-overtaken': AssociationOvertaken;
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
  'association-end-heard': [],
  'association-overtaken': [],
  'peer-followed': [],
  'binding-noted': [],
  'binding-ended': [],
  'pepper-set': [],
} as const satisfies FactShapes;

/** Of an association or a binding: the keys of what may be erased, and what stands there then. A signature would tell of what it is to who tries all that it may be of. */
export const ASSOCIATION_TAIL = Object.freeze({
  keys: ['of', 'mxid', 'signatures'],
  left: '"of":null}',
});

/** By which an identifier is somebody's, or known somewhere as theirs, no more: it is erased then. */
export const ENDS_OF_IDENTIFIERS: ReadonlySet<string> = new Set<IdentityFact['type']>([
  'association-ended',
  'association-end-learnt',
  'binding-ended',
]);

const OF_ASSOCIATIONS: ReadonlySet<string> = new Set<IdentityFact['type']>([
  'association-made',
  'association-ended',
  'association-learnt',
  'association-end-learnt',
]);

/**
 * A fact of the identity server as its stream has it. Throws for associations without an id, as they were before there was any release: they are in streams of other names, in
 * which nobody looks for them, and what seemed to end one would end nothing.
 */
export function readIdentityFact({ type, data }: { readonly type: string; readonly data: string }): IdentityFact {
  const fact = { type, data: JSON.parse(data) as unknown } as IdentityFact; // written by this library
  if (OF_ASSOCIATIONS.has(type) && !Object.hasOwn(fact.data, 'association_id'))
    throw new Error('It is of a form that was in no release: the identity server has to begin with a new log');
  return fact;
}
