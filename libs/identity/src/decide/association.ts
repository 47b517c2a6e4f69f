import type { Threepid } from '#accounts/threepids/threepid';
import type { ServerName, UserId } from '#kernel/ids';
import { type IdentityFact, readIdentityFact } from '../facts/identity-facts.js';

/** That an identifier was made somebody's: by which identity server, and when, in milliseconds since the epoch. */
export interface Making {
  readonly ts: number;
  readonly by: ServerName;
}

/** Between which times an association is good, these among them, in milliseconds since the epoch. */
export interface Validity {
  readonly not_before: number;
  readonly not_after: number;
}

/** Whether it is good at a time. */
export const holdsAt = ({ not_before, not_after }: Validity, now: number): boolean =>
  not_before <= now && now <= not_after;

/** What is known of an identifier: whose it is, if anybody's, and since when that is so. */
export interface Holder {
  readonly mxid?: UserId;
  /** The identifier itself, where it is anybody's. */
  readonly of?: Threepid;
  /** From when until when, where it is anybody's. */
  readonly validity?: Validity;
  readonly ts: number;
  /** What it became somebody's by last, also where that has ended; undefined where it never was anybody's. */
  readonly id?: string;
  readonly made?: Making;
  /** What this identity server itself made of it last. */
  readonly ours?: Making;
}

export const NO_HOLDER: Holder = Object.freeze({ ts: 0 });

/** For so long an association holds unless it is ended: a hundred years. */
const LIFETIME_MS = 100 * 365 * 24 * 3600_000;

/** Whose an identifier is, as of a fact of its stream. */
export function foldAssociation(holder: Holder, fact: { readonly type: string; readonly data: string }): Holder {
  const { type, data } = readIdentityFact(fact);
  switch (type) {
    case 'association-made':
    case 'association-learnt': {
      const { association_id: id, mxid, ts, by, of, not_before, not_after } = data;
      const made = { ts, by };
      const ours = type === 'association-made' ? made : holder.ours;
      const last = { ts: Math.max(ts, holder.ts), id, made, ...(ours === undefined ? {} : { ours }) };
      // What was erased since was ended, too.
      return of === null || mxid === undefined ? last : { ...last, mxid, of, validity: { not_before, not_after } };
    }
    case 'association-ended':
    case 'association-end-learnt':
      return {
        ...(data.association_id === holder.id ? nobodyOf(holder) : holder),
        ts: Math.max(data.ts, holder.ts),
      };
    default:
      return holder;
  }
}

/** The same, nobody's. */
function nobodyOf({ mxid: _mxid, of: _of, validity: _validity, ...rest }: Holder): Holder {
  return rest;
}

/** Who says it, and when, in milliseconds since the epoch. */
export interface Saying {
  readonly by: ServerName;
  readonly now: number;
}

/** What is known of an identifier as of a time: where the association is not good yet, or no more, it is nobody's. */
export function holderAt(holder: Holder, now: number): Holder {
  const { validity } = holder;
  return validity === undefined || holdsAt(validity, now) ? holder : nobodyOf(holder);
}

/** What is to be somebody's. */
export interface WantedAssociation {
  /** What it is called then. */
  readonly id: string;
  readonly of: Threepid;
  readonly mxid: UserId;
}

/**
 * The identifier is the user's, whosever it was; nothing where it is already by this server's doing. Where a peer made it so, they may have ended it there, which is
 * yet to be heard here. What is said later counts, also where a clock went back; it is good from now on all the same.
 */
export function decideAssociation(
  holder: Holder,
  { id, of, mxid }: WantedAssociation,
  { by, now }: Saying,
): IdentityFact[] {
  if (holderAt(holder, now).mxid === mxid && holder.made?.by === by) return [];
  const ts = Math.max(now, holder.ts + 1);
  const made = { association_id: id, ts, not_before: now, not_after: now + LIFETIME_MS, by, of, mxid };
  return [...endOf(holder, 'association-ended', { ts, by }), { type: 'association-made', data: made }];
}

/** It is that user's no more; nothing where it is not theirs. */
export function decideEnd(holder: Holder, mxid: UserId, { by, now }: Saying): IdentityFact[] {
  if (holder.mxid !== mxid) return [];
  return endOf(holder, 'association-ended', { ts: Math.max(now, holder.ts + 1), by });
}

/** The end of what makes the identifier somebody's; nothing where it is nobody's. */
export function endOf(
  { id, mxid }: Holder,
  type: 'association-ended' | 'association-end-learnt',
  { ts, by }: Making,
): IdentityFact[] {
  return id === undefined || mxid === undefined ? [] : [{ type, data: { association_id: id, ts, by } }];
}
