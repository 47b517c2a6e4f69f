import type { Threepid } from '#accounts/threepids/threepid';
import type { ServerName, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { IdentityFact } from '../facts/identity-facts.js';
import type { Holder, Making } from './association.js';

/*
 * How what identity servers say of one identifier becomes one answer, whatever the order in which each of them hears it: of two that it was made somebody's
 * the later one counts, by the clock of whoever says so, and by their names where both are of the same moment; and what was once ended stays ended,
 * whoever of them ended it. So no more is to be remembered of an identifier than how it became whose it was last, and whether that has ended.
 */

/** What a trusted identity server says: that an identifier is a user's. */
export interface ToldAssociation {
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
  readonly mxid: UserId;
  readonly made: Making;
  readonly ts: number;
  readonly by: ServerName;
}

/** Whether the first counts, of two: positive, 0 for the same. */
export function compareMakings(a: Making, b: Making): number {
  if (a.ts !== b.ts) return a.ts - b.ts;
  return a.by === b.by ? 0 : a.by < b.by ? -1 : 1;
}

/** Nothing where what is known counts, or is the same, ended or not. */
export function decideLearnt({ made }: Holder, told: ToldAssociation): IdentityFact[] {
  if (made !== undefined && compareMakings(told, made) <= 0) return [];
  return [{ type: 'association-learnt', data: told }];
}

/** Nothing where it is ended already, or something later counts. The identifier is named where it was somebody's here, for that is over. */
export function decideEndLearnt({ made: known, mxid: holder, of }: Holder, told: ToldEnd): IdentityFact[] {
  const { made, mxid, ts, by } = told;
  const order = known === undefined ? 1 : compareMakings(made, known);
  if (order < 0 || (order === 0 && holder === undefined)) return [];
  const data = { mxid, ts, made_ts: made.ts, made_by: made.by, by, of: of ?? null };
  return [{ type: 'association-end-learnt', data }];
}
