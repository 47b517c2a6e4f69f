import { findThreepid } from '#accounts/threepids/threepid';
import { isServerName, isUserId, type ServerName } from '#kernel/ids';
import { isJsonObject, type JsonObject } from '#kernel/json';
import type { ToldAssociation, ToldEnd } from '../decide/learn-association.js';

/** What an entry of another identity server's feed says. */
export type ToldEntry =
  | { readonly association: ToldAssociation; readonly end?: undefined }
  | { readonly association?: undefined; readonly end: ToldEnd; readonly hash: string };

const HASH = /^[0-9a-f]{64}$/;

/** Reads what a peer has signed; undefined for what is none of the two. A peer makes what it makes in its own name alone. */
export function readEntry(entry: JsonObject, peer: ServerName): ToldEntry | undefined {
  const { mxid, ts, signatures } = entry;
  if (typeof mxid !== 'string' || !isUserId(mxid) || !isTime(ts) || !isJsonObject(signatures)) return undefined;
  if ('hash' in entry) {
    const { hash, made_ts: madeTs, made_by: madeBy } = entry;
    if (typeof hash !== 'string' || !HASH.test(hash) || !isTime(madeTs)) return undefined;
    if (typeof madeBy !== 'string' || !isServerName(madeBy)) return undefined;
    return { hash, end: { mxid, ts, made: { ts: madeTs, by: madeBy }, by: peer } };
  }
  const { medium, address, not_before, not_after } = entry;
  const of = typeof medium === 'string' && typeof address === 'string' ? findThreepid(medium, address) : undefined;
  if (of === undefined || of.address !== address || !isTime(not_before) || !isTime(not_after)) return undefined;
  const own = { [peer]: signatures[peer] ?? {} };
  return { association: { mxid, ts, not_before, not_after, by: peer, of, signatures: own } };
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
