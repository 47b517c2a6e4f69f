import type { RecordedFact } from '#event-store/event-store';
import type { RoomId, UserId } from '#kernel/ids';
import { asJson, asText, Collection, owning } from '#projections/collection';
import type { OwnRows, Projector } from '#projections/projector';
import {
  nameOfStoredInvites,
  readStoredInviteFact,
  STORED_INVITE_SHAPES,
  type StoredInviteFact,
} from '../facts/stored-invite-facts.js';

/** An invitation that waits, or whose key is good still. */
export interface StoredInviteRow {
  /** What stands for the identifier in names. */
  readonly name: string;
  readonly room_id: RoomId;
  readonly sender: UserId;
  readonly public_key: string;
  /** In milliseconds since the epoch. */
  readonly until: number;
  /** Whom it is for is to be told still. */
  readonly is_unsent?: true;
  readonly mxid?: UserId;
  readonly was_told?: true;
}

export const STORED_INVITES = new Collection<readonly [token: string], StoredInviteRow>('stored-invites', {
  key: ['token of an invitation by address'],
  says: 'to which room, by whom, until when, whether its message was sent, and who claimed it',
  codec: asJson(),
});

export const INVITE_KEYS = new Collection<readonly [publicKey: string], string>('invite-keys', {
  key: ['public key of an invitation by address'],
  says: 'the token of the invitation that it was made for',
  codec: asText(),
});

/** Invitations by addresses that the identity server keeps, by what they are asked for. */
export const storedInvitesProjector: Projector = {
  name: 'stored-invites',
  version: 3,
  ...owning(STORED_INVITES, INVITE_KEYS),
  handles: (type) => Object.hasOwn(STORED_INVITE_SHAPES, type),
  isForgotten: (type) => type === ('invite-ended' satisfies StoredInviteFact['type']),
  project,
};

async function project(recorded: RecordedFact, rows: OwnRows): Promise<void> {
  const { type, data } = readStoredInviteFact(recorded);
  if (type === 'invite-stored') {
    const { token, room_id, sender, public_key, until, message } = data;
    const unsent = typeof message === 'string' ? { is_unsent: true as const } : {};
    const name = nameOfStoredInvites(recorded.stream);
    STORED_INVITES.put(rows, [token], { name, room_id, sender, public_key, until, ...unsent });
    return INVITE_KEYS.put(rows, [public_key], token);
  }
  const known = await STORED_INVITES.get(rows, [data.token]);
  if (known === undefined) return;
  if (type === 'invite-claimed')
    STORED_INVITES.put(rows, [data.token], { ...known, mxid: data.mxid, until: data.until });
  else if (type === 'invite-sent') {
    const { is_unsent: _, ...row } = known;
    STORED_INVITES.put(rows, [data.token], row);
  } else if (type === 'invite-told') STORED_INVITES.put(rows, [data.token], { ...known, was_told: true });
  else {
    STORED_INVITES.delete(rows, [data.token]);
    INVITE_KEYS.delete(rows, [known.public_key]);
  }
}
