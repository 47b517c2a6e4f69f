import { findThreepid } from '#accounts/threepids/threepid';
import { isServerName, isUserId, type ServerName, type UserId } from '#kernel/ids';
import { isJsonObject, type JsonObject, type JsonValue } from '#kernel/json';
import type { ToldAssociation, ToldEnd } from '../decide/learn-association.js';
import type { IdentityReader } from '../facts/identity-facts.js';

/** What an entry of another identity server's feed says. */
export type ToldEntry =
  | { readonly kind: 'association'; readonly told: ToldAssociation }
  | { readonly kind: 'end'; readonly told: ToldEnd; readonly hash: string }
  | { readonly kind: 'readers'; readonly told: ToldReaders };

/** Who may find a user, as they said to an identity server. */
export interface ToldReaders {
  readonly mxid: UserId;
  readonly ts: number;
  readonly readers: readonly IdentityReader[];
}

const MOST_READERS = 500;
const HASH = /^[0-9a-f]{64}$/;

/** Reads what a peer has signed; undefined for what is none of them. A peer makes what it makes in its own name alone. */
export function readEntry(entry: JsonObject, peer: ServerName): ToldEntry | undefined {
  const { mxid, ts, signatures } = entry;
  if (typeof mxid !== 'string' || !isUserId(mxid) || !isTime(ts) || !isJsonObject(signatures)) return undefined;
  if ('hash' in entry) {
    const { hash, made_ts: madeTs, made_by: madeBy } = entry;
    // What is of a later time than its end would count for all that is said until then.
    if (typeof hash !== 'string' || !HASH.test(hash) || !isTime(madeTs) || madeTs > ts) return undefined;
    if (typeof madeBy !== 'string' || !isServerName(madeBy)) return undefined;
    return { kind: 'end', hash, told: { mxid, ts, made: { ts: madeTs, by: madeBy }, by: peer } };
  }
  if ('readers' in entry) return { kind: 'readers', told: { mxid, ts, readers: readersIn(entry['readers']) } };
  const { medium, address, not_before, not_after } = entry;
  const of = typeof medium === 'string' && typeof address === 'string' ? findThreepid(medium, address) : undefined;
  if (of === undefined || of.address !== address || !isTime(not_before) || !isTime(not_after)) return undefined;
  const own = { [peer]: signatures[peer] ?? {} };
  return { kind: 'association', told: { mxid, ts, not_before, not_after, by: peer, of, signatures: own } };
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
