import type { FactShapes } from '#event-store/fact-shapes';
import type { RoomId, UserId } from '#kernel/ids';

/*
 * Invitations that wait until an identifier is somebody's: a stream of each identifier, called by its hash. What the identifier is stands in none of them: it
 * was needed for the mail, and whoever shows that it is theirs says it again.
 */

export const STORED_INVITES_PREFIX = 'stored-invites-';
/** `hash`: of the identifier (`threepidHash`). */
export const storedInvitesStream = (hash: string): string => `${STORED_INVITES_PREFIX}${hash}`;

/** Of which identifier such a stream is. */
export const hashOfStoredInvites = (stream: string): string => stream.slice(STORED_INVITES_PREFIX.length);

/** `invite-stored`: somebody who is known by the identifier alone is invited to a room. */
export interface InviteStored {
  readonly token: string;
  readonly room_id: RoomId;
  readonly sender: UserId;
  /** The key that was made for it, in unpadded base64; the other half went with the mail, and is nowhere else. */
  readonly public_key: string;
  /** In milliseconds since the epoch: nobody claims it after. */
  readonly until: number;
}

/** `invite-claimed`: it is that user's, and nobody else's. `until`: its key is good until then. */
export interface InviteClaimed {
  readonly token: string;
  readonly mxid: UserId;
  readonly until: number;
}

/** `invite-told`: the homeserver of who claimed it was told of it, or will not hear of it. */
export interface InviteTold {
  readonly token: string;
}

/** `invite-ended`: its time is over. */
export interface InviteEnded {
  readonly token: string;
}

export interface StoredInviteFacts {
  'invite-stored': InviteStored;
  'invite-claimed': InviteClaimed;
  'invite-told': InviteTold;
  'invite-ended': InviteEnded;
}

export type StoredInviteFact = {
  [T in keyof StoredInviteFacts]: { readonly type: T; readonly data: StoredInviteFacts[T] };
}[keyof StoredInviteFacts];

/** How old shapes of these facts become today's. */
export const STORED_INVITE_SHAPES = {
  'invite-stored': [],
  'invite-claimed': [],
  'invite-told': [],
  'invite-ended': [],
} as const satisfies FactShapes;

/** A fact of a stored invitation as its stream has it. */
export function readStoredInviteFact({
  type,
  data,
}: {
  readonly type: string;
  readonly data: string;
}): StoredInviteFact {
  return { type, data: JSON.parse(data) as unknown } as StoredInviteFact; // written by this library
}
