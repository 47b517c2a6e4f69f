import type { RecordedFact } from '#event-store/event-store';
import { type RoomId, type ServerName, serverNameOf, type UserId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import { asJson, Collection, owning } from '#projections/collection';
import type { OwnRows, Projector } from '#projections/projector';
import { type MembershipTold, userIdOfElsewhere } from '../facts/elsewhere-facts.js';
import { purgeByUsers } from './purged-rows.js';

/** What a user is in a room that is not here besides what they are shown, by the word of another server. */
export interface KeptMembershipRow {
  readonly pos: Position;
  readonly told: MembershipTold;
}

/** The server is that of who sent the event; of a user's own, who took it. One before what the user is shown since counts no more. */
export const KEPT_MEMBERSHIPS = new Collection<
  readonly [userId: UserId, roomId: RoomId, server: ServerName],
  KeptMembershipRow
>('kept-memberships', {
  key: ['user', 'room', 'server'],
  says: 'an invitation, or a knock, beside that which the user is shown, as it was told',
  codec: asJson(),
});

/** Invitations of users by several servers to one room that is not here: all but that which the user is shown. */
export function keptMembershipsProjector(): Projector {
  return {
    name: 'kept-memberships',
    version: 2,
    ...owning(KEPT_MEMBERSHIPS),
    handles: (type) => type === 'membership-kept' || type === 'stays-ended' || type === 'room-purged',
    project(fact, rows) {
      const { stream, type, data, position: pos } = fact;
      if (type === 'room-purged') return purge(fact, rows);
      const userId = userIdOfElsewhere(stream);
      if (type === 'stays-ended') {
        return KEPT_MEMBERSHIPS.forEach(rows, { prefix: [userId] }, ({ key }) => KEPT_MEMBERSHIPS.delete(rows, key));
      }
      const told = JSON.parse(data) as MembershipTold;
      const key = [userId, told.room_id, tellerOf(told, userId)] as const;
      if (told.membership === 'invite' || told.membership === 'knock') KEPT_MEMBERSHIPS.put(rows, key, { pos, told });
      else KEPT_MEMBERSHIPS.delete(rows, key);
    },
  };
}

function purge(fact: RecordedFact, rows: OwnRows): Promise<void> {
  return purgeByUsers(fact, rows, [KEPT_MEMBERSHIPS]);
}

/** By whose word it is so. */
export function tellerOf({ pdu, origin }: MembershipTold, userId: UserId): ServerName {
  const sender = pdu['sender'] as UserId;
  return sender === userId ? (origin ?? serverNameOf(sender)) : serverNameOf(sender);
}
