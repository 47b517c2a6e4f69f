import type { RecordedFact } from '#event-store/event-store';
import type { RoomId, UserId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import { asJson, Collection, owning } from '#projections/collection';
import type { OwnRows, Projector } from '#projections/projector';
import { type InvitationHeld, userIdOfHeld } from '../facts/held-invitation-facts.js';
import { purgeOf } from './purged-rows.js';

/** An invitation that is held, or was. */
export interface HeldInvitationRow {
  readonly sender: UserId;
  readonly held: boolean;
  /** Since when. */
  readonly pos: Position;
}

export const HELD_INVITATIONS = new Collection<readonly [userId: UserId, roomId: RoomId], HeldInvitationRow>(
  'held-invitations',
  {
    key: ['user', 'room'],
    says: 'whose invitation is not shown for now, or is shown again since when',
    codec: asJson(),
  },
);

/** Which invitations their users are not shown for now. */
export const heldInvitationsProjector: Projector = {
  name: 'held-invitations',
  version: 1,
  ...owning(HELD_INVITATIONS),
  handles: (type) => type === 'invitation-held' || type === 'invitation-released' || type === 'room-purged',
  project,
};

async function project(fact: RecordedFact, rows: OwnRows): Promise<void> {
  if (fact.type === 'room-purged') {
    const { roomId, users } = purgeOf(fact);
    for (const userId of users) HELD_INVITATIONS.delete(rows, [userId, roomId]);
    return;
  }
  const { room_id: roomId, sender } = JSON.parse(fact.data) as InvitationHeld; // written by HeldInvitations
  const key = [userIdOfHeld(fact.stream), roomId] as const;
  const before = await HELD_INVITATIONS.get(rows, key);
  if (before !== undefined && before.pos > fact.position) return; // applied before, and a newer one since
  HELD_INVITATIONS.put(rows, key, { sender, held: fact.type === 'invitation-held', pos: fact.position });
}
