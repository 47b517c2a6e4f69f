import { type RoomId, serverNameOf, type UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { readStoredInviteFact, type StoredInviteFact } from '../facts/stored-invite-facts.js';

/** An invitation that waits for who has the identifier; `mxid`: who claimed it. */
export interface StoredInvite {
  readonly token: string;
  readonly roomId: RoomId;
  readonly sender: UserId;
  /** Nobody vouches for who the sender is. */
  readonly isUnvouched?: true;
  readonly publicKey: string;
  readonly until: number;
  /** What is to be sent still, sealed. */
  readonly message?: string;
  readonly mxid?: UserId;
  /** Whether the homeserver of `mxid` was told. */
  readonly wasTold?: true;
}

/** All of one identifier, by their tokens, in the order in which they came. Those that were told of stay until their keys are good no more. */
export type Invites = ReadonlyMap<string, StoredInvite>;

export const NO_INVITES: Invites = new Map<string, StoredInvite>();

/** So many of one identifier wait at once: who is invited more often has reason not to come. */
const MOST = 100;
/** Of one sender, whose oldest gives way to the next. */
const MOST_OF_SENDER = 10;
/** Of all users of one server, and of all for whom nobody vouches. */
const MOST_OF_GROUP = 30;
const BUSY_MS = 24 * 3600_000;

/** The invitations that wait for an address, as of a fact of its stream. */
export function foldStoredInvite(invites: Invites, fact: { readonly type: string; readonly data: string }): Invites {
  const { type, data } = readStoredInviteFact(fact);
  const after = new Map(invites);
  const known = invites.get(data.token);
  if (type === 'invite-stored') {
    const { token, room_id: roomId, sender, public_key: publicKey, until, is_unvouched: isUnvouched, message } = data;
    const invite = { token, roomId, sender, publicKey, until, ...(isUnvouched === true ? { isUnvouched } : {}) };
    after.set(token, typeof message === 'string' ? { ...invite, message } : invite);
  } else if (known === undefined) return invites;
  else if (type === 'invite-claimed') after.set(data.token, { ...known, mxid: data.mxid, until: data.until });
  else if (type === 'invite-told') after.set(data.token, { ...known, wasTold: true });
  else if (type === 'invite-sent') after.set(data.token, withoutMessage(known));
  else after.delete(data.token);
  return after;
}

/**
 * One more waits. Where the sender has many waiting, or their server has, their oldest gives way; where all places are taken, the oldest of the server of which
 * there are most: so that nobody fills them for others. `over`: by when those end whose time is over. Throws M_LIMIT_EXCEEDED where all are of other servers.
 */
export function decideStored(invites: Invites, invite: StoredInvite, now: number, over = now): StoredInviteFact[] {
  const waiting = listFree(invites, now);
  const group = groupOf(invite);
  const ofGroup = waiting.filter((one) => groupOf(one) === group);
  const ofSender = ofGroup.filter(({ sender }) => sender === invite.sender);
  const goes = [
    ...ofSender.slice(0, Math.max(0, ofSender.length - MOST_OF_SENDER + 1)),
    ...(ofSender.length < MOST_OF_SENDER ? ofGroup.slice(0, Math.max(0, ofGroup.length - MOST_OF_GROUP + 1)) : []),
  ];
  if (goes.length === 0 && waiting.length >= MOST) goes.push(oldestOfMost(waiting, group));
  const { token, roomId: room_id, sender, publicKey: public_key, until, isUnvouched, message } = invite;
  const optional = { ...(isUnvouched === true ? { is_unvouched: isUnvouched } : {}), ...(message && { message }) };
  return [
    ...decideOver(invites, over),
    ...goes.map(ended),
    { type: 'invite-stored', data: { token, room_id, sender, public_key, until, ...optional } },
  ];
}

/** Those that nobody has claimed yet. */
export function listFree(invites: Invites, now: number): StoredInvite[] {
  return [...invites.values()].filter((one) => one.mxid === undefined && one.until > now);
}

/** Those of which whom they are for is to be told still. */
export function listUnsent(invites: Invites): (StoredInvite & { readonly message: string })[] {
  return [...invites.values()].flatMap((one) => (one.message === undefined ? [] : [{ ...one, message: one.message }]));
}

/** Some that nobody has claimed yet, by their tokens, are the user's. `until`: for as long their keys are good. */
export function decideClaims(
  invites: Invites,
  mxid: UserId,
  { now, until, tokens }: { readonly now: number; readonly until: number; readonly tokens: readonly string[] },
): StoredInviteFact[] {
  return listFree(invites, now)
    .filter(({ token }) => tokens.includes(token))
    .map(({ token }) => ({ type: 'invite-claimed', data: { token, mxid, until } }));
}

/** Those that a user has claimed, and whose homeserver is to be told of them still. */
export function listToTell(invites: Invites, mxid: UserId, now: number): StoredInvite[] {
  return [...invites.values()].filter((one) => one.mxid === mxid && one.wasTold !== true && one.until > now);
}

/** The homeserver was told of some, or will not hear of them. */
export function decideTold(invites: Invites, tokens: readonly string[]): StoredInviteFact[] {
  return tokens
    .filter((token) => invites.has(token) && invites.get(token)?.wasTold !== true)
    .map((token) => ({ type: 'invite-told', data: { token } }));
}

/** The message of one was handed over, or never will be. */
export function decideSent(invites: Invites, token: string): StoredInviteFact[] {
  return invites.get(token)?.message === undefined ? [] : [{ type: 'invite-sent', data: { token } }];
}

/** The time of some is over. */
export function decideOver(invites: Invites, now: number): StoredInviteFact[] {
  return [...invites.values()].filter(({ until }) => until <= now).map(ended);
}

const ended = ({ token }: StoredInvite): StoredInviteFact => ({ type: 'invite-ended', data: { token } });

/** Whom it counts for besides its sender; whoever is not vouched for may be anybody. */
const groupOf = ({ isUnvouched, sender }: StoredInvite): string => (isUnvouched === true ? '' : serverNameOf(sender));

/** The oldest of a group of which there are most, with one more of `group`. Throws M_LIMIT_EXCEEDED where there is but one of each. */
function oldestOfMost(waiting: readonly StoredInvite[], group: string): StoredInvite {
  const counts = new Map<string, number>([[group, 1]]);
  for (const one of waiting) counts.set(groupOf(one), (counts.get(groupOf(one)) ?? 0) + 1);
  const most = Math.max(...counts.values());
  const oldest = most === 1 ? undefined : waiting.find((one) => counts.get(groupOf(one)) === most);
  if (oldest !== undefined) return oldest;
  throw new MatrixError('M_LIMIT_EXCEEDED', 'Too many invitations wait for whoever has this address', {
    fields: { retry_after_ms: BUSY_MS },
  });
}

function withoutMessage(invite: StoredInvite): StoredInvite {
  const { message: _, ...rest } = invite;
  return rest;
}
