import type { RoomId, UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { readStoredInviteFact, type StoredInviteFact } from '../facts/stored-invite-facts.js';

/** An invitation that waits for who has the identifier; `mxid`: who claimed it. */
export interface StoredInvite {
  readonly token: string;
  readonly roomId: RoomId;
  readonly sender: UserId;
  readonly publicKey: string;
  readonly until: number;
  readonly mxid?: UserId;
  /** Whether the homeserver of `mxid` was told. */
  readonly wasTold?: true;
}

/** All of one identifier, by their tokens. Those that were told of stay until their keys are good no more. */
export type StoredInvites = ReadonlyMap<string, StoredInvite>;

export const NO_STORED_INVITES: StoredInvites = new Map<string, StoredInvite>();

/** So many of one identifier wait at once: who is invited more often has reason not to come. */
const MOST = 100;
const BUSY_MS = 24 * 3600_000;

export function foldStoredInvite(
  invites: StoredInvites,
  fact: { readonly type: string; readonly data: string },
): StoredInvites {
  const { type, data } = readStoredInviteFact(fact);
  const after = new Map(invites);
  const known = invites.get(data.token);
  if (type === 'invite-stored') {
    const { token, room_id: roomId, sender, public_key: publicKey, until } = data;
    after.set(token, { token, roomId, sender, publicKey, until });
  } else if (known === undefined) return invites;
  else if (type === 'invite-claimed') after.set(data.token, { ...known, mxid: data.mxid, until: data.until });
  else if (type === 'invite-told') after.set(data.token, { ...known, wasTold: true });
  else after.delete(data.token);
  return after;
}

/** One more waits. Throws M_LIMIT_EXCEEDED where too many do. */
export function decideStored(invites: StoredInvites, invite: StoredInvite, now: number): StoredInviteFact[] {
  const waiting = [...invites.values()].filter(({ mxid, until }) => mxid === undefined && until > now);
  if (waiting.length >= MOST) {
    throw new MatrixError('M_LIMIT_EXCEEDED', 'Too many invitations wait for whoever has this address', {
      fields: { retry_after_ms: BUSY_MS },
    });
  }
  const { token, roomId: room_id, sender, publicKey: public_key, until } = invite;
  return [...decideOver(invites, now), { type: 'invite-stored', data: { token, room_id, sender, public_key, until } }];
}

/** Those that nobody has claimed yet. */
export function listFree(invites: StoredInvites, now: number): StoredInvite[] {
  return [...invites.values()].filter((one) => one.mxid === undefined && one.until > now);
}

/** Some that nobody has claimed yet, by their tokens, are the user's. `until`: for as long their keys are good. */
export function decideClaims(
  invites: StoredInvites,
  mxid: UserId,
  { now, until, tokens }: { readonly now: number; readonly until: number; readonly tokens: readonly string[] },
): StoredInviteFact[] {
  return listFree(invites, now)
    .filter(({ token }) => tokens.includes(token))
    .map(({ token }) => ({ type: 'invite-claimed', data: { token, mxid, until } }));
}

/** Those that a user has claimed, and whose homeserver is to be told of them still. */
export function listToTell(invites: StoredInvites, mxid: UserId, now: number): StoredInvite[] {
  return [...invites.values()].filter((one) => one.mxid === mxid && one.wasTold !== true && one.until > now);
}

/** The homeserver was told of some, or will not hear of them. */
export function decideTold(invites: StoredInvites, tokens: readonly string[]): StoredInviteFact[] {
  return tokens
    .filter((token) => invites.has(token) && invites.get(token)?.wasTold !== true)
    .map((token) => ({ type: 'invite-told', data: { token } }));
}

/** The time of some is over. */
export function decideOver(invites: StoredInvites, now: number): StoredInviteFact[] {
  return [...invites.values()]
    .filter(({ until }) => until <= now)
    .map(({ token }) => ({ type: 'invite-ended', data: { token } }));
}
