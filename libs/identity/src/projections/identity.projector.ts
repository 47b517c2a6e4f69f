import type { Medium, Threepid } from '#accounts/threepids/threepid';
import type { RecordedFact } from '#event-store/event-store';
import type { ServerName, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { asJson, asText, Collection, owning } from '#projections/collection';
import type { OwnRows, Projector } from '#projections/projector';
import { hashAddress } from '../client/hash-address.js';
import type { Validity } from '../decide/association.js';
import {
  type AssociationLearnt,
  IDENTITY_SHAPES,
  type IdentityReader,
  type MasterKey,
  nameOfAssociation,
  readIdentityFact,
  userIdOfIdentityAccount,
} from '../facts/identity-facts.js';

/** Whose an identifier is, and between which times that is good. */
export interface OwnerRow extends Validity {
  readonly mxid: UserId;
}

/** The same, since when, in milliseconds since the epoch. */
export interface AssociationRow extends OwnerRow {
  readonly ts: number;
  /** Of the identity server from which it was learnt. */
  readonly signatures?: JsonObject;
  /** What the association is called, and its identifier in names. */
  readonly id: string;
  readonly name: string;
}

/** What is told of whose an identifier is, not signed by this server: identity service API, `POST /3pid/bind`. */
export function saidOfAssociation(
  { medium, address }: Threepid,
  { mxid, ts, not_before, not_after, signatures }: Omit<AssociationRow, 'id' | 'name'>,
): JsonObject {
  return { medium, address, mxid, ts, not_before, not_after, ...(signatures === undefined ? {} : { signatures }) };
}

/** Whose a token of the identity server is; `trusted_since` as its fact has it. */
export interface IdentityTokenRow {
  readonly user: UserId;
  readonly trusted_since?: number;
}

export const IDENTITY_TOKENS = new Collection<readonly [tokenHash: string], IdentityTokenRow>('identity-tokens', {
  key: ['hash of a token of the identity server'],
  says: 'the user who has it, and since when their account here was trusted as they got it',
  codec: asJson(),
});

export const IDENTITY_TERMS = new Collection<readonly [userId: UserId], readonly string[]>('identity-terms', {
  key: ['user of the identity server'],
  says: 'the URLs of the terms that they accepted',
  codec: asJson(),
});

/** What somebody says of how they are found. */
export interface IdentityPersonRow {
  /** Absent: everybody. */
  readonly readers?: readonly IdentityReader[];
  /** By other identity servers, which this one trusts. */
  readonly readers_elsewhere?: Readonly<Record<ServerName, readonly IdentityReader[]>>;
  readonly master_key?: MasterKey;
}

export const IDENTITY_PEOPLE = new Collection<readonly [userId: UserId], IdentityPersonRow>('identity-people', {
  key: ['user of the identity server'],
  says: 'who may find them by their identifiers, and the public master key that is told then',
  codec: asJson(),
});

/** Who may find somebody who says nothing of it. */
export const EVERYBODY: readonly IdentityReader[] = ['everybody'];

export const ASSOCIATIONS = new Collection<readonly [medium: Medium, address: string], AssociationRow>('associations', {
  key: ['medium', 'address'],
  says: 'the user whose it is by the identity server, and since when',
  codec: asJson(),
});

/** What an association is of. */
export interface AssociatedRow {
  /** What stands for the identifier in the name of its stream. */
  readonly name: string;
  readonly of: Threepid;
}

export const ASSOCIATION_IDS = new Collection<readonly [id: string], AssociatedRow>('association-ids', {
  key: ['id of an association'],
  says: 'the identifier that it is of, as long as it has not ended',
  codec: asJson(),
});

export const ASSOCIATION_HASHES = new Collection<readonly [hash: string], OwnerRow>('association-hashes', {
  key: ['hash of an identifier, with the pepper of now'],
  says: 'the user whose it is, and from when until when',
  codec: asJson(),
});

export const PEPPER = new Collection<readonly ['pepper'], string>('identity-pepper', {
  key: ['pepper'],
  says: 'the pepper of now',
  codec: asText(),
});

/** What the identity server is asked. With a new pepper all hashes are made anew. */
export const identityProjector: Projector = {
  name: 'identity',
  version: 6,
  // Before, the row of a token was its user alone.
  readableSince: 6,
  ...owning(
    IDENTITY_TOKENS,
    IDENTITY_TERMS,
    IDENTITY_PEOPLE,
    ASSOCIATIONS,
    ASSOCIATION_IDS,
    ASSOCIATION_HASHES,
    PEPPER,
  ),
  handles: (type) => Object.hasOwn(IDENTITY_SHAPES, type),
  // Which tokens have ended the log tells no more once a stream is kept short: what is left of that is any of these.
  isForgotten: (type) => type.startsWith('identity-'),
  project,
};

async function project(recorded: RecordedFact, rows: OwnRows): Promise<void> {
  const { type, data } = readIdentityFact(recorded);
  switch (type) {
    case 'identity-token-issued': {
      const { token_hash: hash, trusted_since } = data;
      const since = trusted_since === undefined ? {} : { trusted_since };
      return IDENTITY_TOKENS.put(rows, [hash], { user: userIdOfIdentityAccount(recorded.stream), ...since });
    }
    case 'identity-token-ended':
      return IDENTITY_TOKENS.delete(rows, [data.token_hash]);
    case 'identity-terms-accepted':
      return IDENTITY_TERMS.put(rows, [userIdOfIdentityAccount(recorded.stream)], data.urls);
    case 'identity-readers-set':
      return changePerson(rows, userIdOfIdentityAccount(recorded.stream), { readers: data.readers });
    case 'identity-readers-learnt': {
      const userId = userIdOfIdentityAccount(recorded.stream);
      const { readers_elsewhere: before } = (await IDENTITY_PEOPLE.get(rows, [userId])) ?? {};
      return changePerson(rows, userId, { readers_elsewhere: { ...before, [data.by]: data.readers } });
    }
    case 'identity-key-published':
      return changePerson(rows, userIdOfIdentityAccount(recorded.stream), { master_key: data.master_key ?? undefined });
    case 'association-learnt':
    case 'association-made':
      return associate(rows, nameOfAssociation(recorded.stream), data);
    case 'association-end-learnt':
    case 'association-ended':
      return dissociate(rows, data.association_id);
    case 'pepper-set':
      return hashAnew(rows, data.pepper);
    default:
  }
}

async function associate(rows: OwnRows, name: string, made: AssociationLearnt): Promise<void> {
  const { association_id: id, of, mxid, ts, not_before, not_after, signatures } = made;
  // What was erased since was ended, too.
  if (of === null || mxid === undefined) return;
  const owner = { mxid, not_before, not_after };
  const row = { ...owner, ts, ...(signatures === undefined ? {} : { signatures }), id, name };
  ASSOCIATIONS.put(rows, [of.medium, of.address], row);
  ASSOCIATION_IDS.put(rows, [id], { name, of });
  const pepper = await PEPPER.get(rows, ['pepper']);
  if (pepper !== undefined) ASSOCIATION_HASHES.put(rows, [hashAddress(of, pepper)], owner);
}

async function dissociate(rows: OwnRows, id: string): Promise<void> {
  const known = await ASSOCIATION_IDS.get(rows, [id]);
  if (known === undefined) return;
  ASSOCIATION_IDS.delete(rows, [id]);
  const { of } = known;
  // Another one may have taken its place, under another name.
  if ((await ASSOCIATIONS.get(rows, [of.medium, of.address]))?.id !== id) return;
  ASSOCIATIONS.delete(rows, [of.medium, of.address]);
  const pepper = await PEPPER.get(rows, ['pepper']);
  if (pepper !== undefined) ASSOCIATION_HASHES.delete(rows, [hashAddress(of, pepper)]);
}

async function hashAnew(rows: OwnRows, pepper: string): Promise<void> {
  const old: (readonly [string])[] = [];
  await ASSOCIATION_HASHES.forEach(rows, {}, ({ key }) => void old.push(key));
  for (const key of old) ASSOCIATION_HASHES.delete(rows, key);
  PEPPER.put(rows, ['pepper'], pepper);
  await ASSOCIATIONS.forEach(rows, {}, ({ key: [medium, address], value: { mxid, not_before, not_after } }) =>
    ASSOCIATION_HASHES.put(rows, [hashAddress({ medium, address }, pepper)], { mxid, not_before, not_after }),
  );
}

async function changePerson(rows: OwnRows, userId: UserId, change: IdentityPersonRow): Promise<void> {
  const { readers, readers_elsewhere, master_key } = { ...(await IDENTITY_PEOPLE.get(rows, [userId])), ...change };
  const row = {
    ...(readers === undefined ? {} : { readers }),
    ...(readers_elsewhere === undefined ? {} : { readers_elsewhere }),
    ...(master_key === undefined ? {} : { master_key }),
  };
  if (Object.keys(row).length === 0) IDENTITY_PEOPLE.delete(rows, [userId]);
  else IDENTITY_PEOPLE.put(rows, [userId], row);
}
