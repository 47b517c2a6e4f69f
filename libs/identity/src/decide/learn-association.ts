import type { Threepid } from '#accounts/threepids/threepid';
import type { ServerName, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { IdentityFact } from '../facts/identity-facts.js';
import { endOf, type Holder, type Making } from './association.js';

/*
 * How what identity servers say of one identifier becomes one answer, whatever the order in which each of them hears it: of two that it was made somebody's
 * the later one counts, by the clock of whoever says so, and by their names where both are of the same moment; and what was once ended stays ended,
 * whoever of them ended it. So no more is to be remembered of an identifier than how it became whose it was last, and whether that has ended. An end is
 * told without what it is of: who has not heard of the association yet remembers that by the id of it alone, and heeds it then. Who made what has overtaken another one
 * says of that, too, that it is over.
 */

/** What a trusted identity server says: that an identifier is a user's. */
export interface ToldAssociation {
  readonly association_id: string;
  readonly mxid: UserId;
  readonly ts: number;
  readonly not_before: number;
  readonly not_after: number;
  readonly by: ServerName;
  readonly of: Threepid;
  readonly signatures: JsonObject;
}

/** What a trusted identity server says: that what it or another one made is ended. */
export interface ToldEnd {
  readonly association_id: string;
  readonly ts: number;
  readonly by: ServerName;
}

/** Whether the first counts, of two: positive, 0 for the same. */
function compareMakings(a: Making, b: Making): number {
  if (a.ts !== b.ts) return a.ts - b.ts;
  return a.by === b.by ? 0 : a.by < b.by ? -1 : 1;
}

/** Nothing where what is known counts, or is the same, ended or not. `isOver`: it has ended, so that nobody has the identifier by it, nor by what it has overtaken. */
export function decideLearnt(holder: Holder, told: ToldAssociation, isOver: boolean): IdentityFact[] {
  const { made } = holder;
  if (made !== undefined && compareMakings(told, made) <= 0) return [];
  const { of: _of, mxid: _mxid, signatures: _signatures, ...bare } = told;
  const data = isOver ? { ...bare, of: null } : told;
  return [...endOf(holder, 'association-end-learnt', told), { type: 'association-learnt', data }];
}

/** Whether what this identity server made itself is newer than what it is told. */
export function isOvertaken({ ours }: Holder, told: Making): boolean {
  return ours !== undefined && compareMakings(told, ours) < 0;
}

/** Nothing where it is not by that that the identifier is somebody's. */
export function decideEndLearnt(holder: Holder, { association_id: id, ts, by }: ToldEnd): IdentityFact[] {
  return holder.id === id ? endOf(holder, 'association-end-learnt', { ts, by }) : [];
}
