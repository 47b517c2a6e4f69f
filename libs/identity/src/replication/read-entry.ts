import { findThreepid } from '#accounts/threepids/threepid';
import { isUserId, type ServerName, type UserId } from '#kernel/ids';
import { isJsonObject, type JsonObject, type JsonValue } from '#kernel/json';
import { MOST_READERS } from '../decide/identity-people.js';
import type { ToldAssociation, ToldEnd } from '../decide/learn-association.js';
import type { IdentityReader } from '../facts/identity-facts.js';

/** What an entry of another identity server's feed says. */
export type ToldEntry =
  | { readonly kind: 'association'; readonly told: ToldAssociation }
  | { readonly kind: 'end'; readonly told: ToldEnd }
  | { readonly kind: 'readers'; readonly told: ToldReaders };

/** Who may find a user, as they said to an identity server. */
export interface ToldReaders {
  readonly mxid: UserId;
  readonly ts: number;
  readonly readers: readonly IdentityReader[];
}

const ASSOCIATION_ID = /^[\w-]{16,64}$/;

/** Reads what a peer has signed; undefined for what is none of them. A peer makes what it makes in its own name alone. */
export function readEntry(entry: JsonObject, peer: ServerName): ToldEntry | undefined {
  const { mxid, ts, association_id: id } = entry;
  if (!isTime(ts)) return undefined;
  if (id !== undefined) {
    if (typeof id !== 'string' || !ASSOCIATION_ID.test(id)) return undefined;
    if (!('association' in entry)) return { kind: 'end', told: { association_id: id, ts, by: peer } };
    const told = readAssociation(entry['association'], peer);
    return told?.ts === ts ? { kind: 'association', told: { association_id: id, ...told } } : undefined;
  }
  if (typeof mxid !== 'string' || !isUserId(mxid) || !('readers' in entry)) return undefined;
  return { kind: 'readers', told: { mxid, ts, readers: readersIn(entry['readers']) } };
}

function readAssociation(
  said: JsonValue | undefined,
  peer: ServerName,
): Omit<ToldAssociation, 'association_id'> | undefined {
  if (!isJsonObject(said)) return undefined;
  const { medium, address, mxid, ts, not_before, not_after, signatures } = said as JsonObject;
  const of = typeof medium === 'string' && typeof address === 'string' ? findThreepid(medium, address) : undefined;
  if (of === undefined || of.address !== address || !isTime(ts) || !isTime(not_before) || !isTime(not_after))
    return undefined;
  if (typeof mxid !== 'string' || !isUserId(mxid) || !isJsonObject(signatures)) return undefined;
  const own = { [peer]: (signatures as JsonObject)[peer] ?? {} };
  return { mxid, ts, not_before, not_after, by: peer, of, signatures: own };
}

/** What is no list, or names somebody in a way that is not known here, lets nobody in by that. */
function readersIn(value: JsonValue | undefined): IdentityReader[] {
  if (!Array.isArray(value)) return [];
  return value.slice(0, MOST_READERS).filter((one): one is IdentityReader => {
    return typeof one === 'string' && (one === 'everybody' || one === 'contacts' || isUserId(one));
  });
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
