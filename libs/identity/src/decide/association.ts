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
  /** How it became whose it was last, also where that has ended; undefined where it never was anybody's. */
  readonly made?: Making;
}

export const NO_HOLDER: Holder = Object.freeze({ ts: 0 });

/** For so long an association holds unless it is ended: a hundred years. */
const LIFETIME_MS = 100 * 365 * 24 * 3600_000;

export function foldAssociation(holder: Holder, fact: { readonly type: string; readonly data: string }): Holder {
  const { type, data } = readIdentityFact(fact);
  switch (type) {
    case 'association-made':
    case 'association-learnt': {
      const { mxid, ts, by, of, not_before, not_after } = data;
      const validity = { not_before, not_after };
      // What was erased since was ended, too.
      return { mxid, validity, ts: Math.max(ts, holder.ts), made: { ts, by }, ...(of === null ? {} : { of }) };
    }
    case 'association-ended':
      return { ts: Math.max(data.ts, holder.ts), ...(holder.made === undefined ? {} : { made: holder.made }) };
    case 'association-end-learnt':
      return { ts: Math.max(data.ts, holder.ts), made: { ts: data.made_ts, by: data.made_by } };
    default:
      return holder;
  }
}

/** Who says it, and when, in milliseconds since the epoch. */
export interface Saying {
  readonly by: ServerName;
  readonly now: number;
}

/** What is known of an identifier as of a time: where the association is not good yet, or no more, it is nobody's. */
export function holderAt(holder: Holder, now: number): Holder {
  const { validity, ts, made } = holder;
  if (validity === undefined || holdsAt(validity, now)) return holder;
  return { ts, ...(made === undefined ? {} : { made }) };
}

/**
 * The identifier is the user's, whosever it was; nothing where it is already. What is said later counts, also where a clock went back; it is good from now on
 * all the same.
 */
export function decideAssociation(holder: Holder, of: Threepid, mxid: UserId, { by, now }: Saying): IdentityFact[] {
  if (holderAt(holder, now).mxid === mxid) return [];
  const ts = Math.max(now, holder.ts + 1);
  return [
    {
      type: 'association-made',
      data: { mxid, ts, not_before: now, not_after: now + LIFETIME_MS, by, of },
    },
  ];
}

/** It is that user's no more; nothing where it is not theirs. */
export function decideEnd(holder: Holder, of: Threepid, mxid: UserId, { by, now }: Saying): IdentityFact[] {
  if (holder.mxid !== mxid) return [];
  return [
    {
      type: 'association-ended',
      data: { mxid, ts: Math.max(now, holder.ts + 1), by, of },
    },
  ];
}
