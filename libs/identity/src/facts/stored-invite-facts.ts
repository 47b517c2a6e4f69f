import { randomUUID } from 'node:crypto';
import { erasableText } from '#event-store/erasable-text';
import type { FactShapes } from '#event-store/fact-shapes';
import type { FactDraft } from '#event-store/seal-facts';
import type { RoomId, UserId } from '#kernel/ids';

/*
 * Invitations that wait until an identifier is somebody's: a stream of each identifier, called by what this server alone knows it by. What the identifier is stands in the message alone, sealed
 * until that is sent, and then erased: whoever shows that it is theirs says it again.
 */

export const STORED_INVITES_PREFIX = 'stored-invites-';
/** `name`: what stands for the identifier in names (`identifierName`). */
export const storedInvitesStream = (name: string): string => `${STORED_INVITES_PREFIX}${name}`;

/** Of which identifier such a stream is. */
export const nameOfStoredInvites = (stream: string): string => stream.slice(STORED_INVITES_PREFIX.length);

/** `invite-stored`: somebody who is known by the identifier alone is invited to a room. */
export interface InviteStored {
  readonly token: string;
  readonly room_id: RoomId;
  readonly sender: UserId;
  /** The key that was made for it, in unpadded base64; the other half goes with the message, and is nowhere else. */
  readonly public_key: string;
  /** In milliseconds since the epoch: nobody claims it after. */
  readonly until: number;
  /** Nobody vouches for who the sender is. */
  readonly is_unvouched?: true;
  /** What they are told, and where, with the other half of the key: sealed (`InvitationMessages`). null: erased, once it was sent or need be no more. */
  readonly message?: string | null;
}

/** `invite-sent`: the message was handed over, or never will be. */
export interface InviteSent {
  readonly token: string;
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

/** `invite-ended`: its time is over, or it gave way to another. */
export interface InviteEnded {
  readonly token: string;
}

export interface StoredInviteFacts {
  'invite-stored': InviteStored;
  'invite-sent': InviteSent;
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
  'invite-sent': [],
  'invite-claimed': [],
  'invite-told': [],
  'invite-ended': [],
} as const satisfies FactShapes;

/** Of an invitation that was stored: the key of what may be erased, and what stands there then. */
export const MESSAGE_TAIL = Object.freeze({ key: 'message', left: '"message":null}' });

/** By which a message need not be sent any more: it is erased then. */
export const ENDS_OF_MESSAGES: ReadonlySet<string> = new Set<StoredInviteFact['type']>(['invite-sent', 'invite-ended']);

/** A fact as it is appended. */
export const draftStoredInvite = ({ type, data }: StoredInviteFact): FactDraft => ({
  id: randomUUID(),
  type,
  ...erasableText({ ...data }, MESSAGE_TAIL.key),
});

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
