import type { RoomId, UserId } from '#kernel/ids';
import { isJsonObject, type JsonObject } from '#kernel/json';
import type { Views } from '#projections/views';
import type { RoomEvent } from '#protocol/room-event';
import type { PushedEvent } from '#push/gateway/notification';
import type { MembershipTold } from '#rooms/facts/elsewhere-facts';
import { contentOf } from '#rooms/facts/pdu-fields';
import { MEMBERS } from '#rooms/projections/membership.projector';
import { ROOMS } from '#rooms/projections/room-summary.projector';

/** What rooms and people are called there. */
type Names = Pick<PushedEvent, 'senderName' | 'roomName' | 'roomAlias'>;

/** An event of a room that is here, as a gateway is told of it: with the names of now. */
export async function describeEvent(
  views: Pick<Views, 'get'>,
  event: RoomEvent,
): Promise<(userId: UserId) => PushedEvent> {
  const { roomId, sender } = event;
  const [room, member] = await Promise.all([ROOMS.get(views, [roomId]), MEMBERS.get(views, [roomId, sender])]);
  return describer(event, namesOf(room?.name, room?.canonical_alias, member?.displayname));
}

/** An invitation to a room that is not here: with the names that the other server told. */
export function describeInvitation({ state }: MembershipTold, event: RoomEvent): (userId: UserId) => PushedEvent {
  const find = (type: string, stateKey: string): JsonObject | undefined => {
    const found = state.find((one) => one['type'] === type && one['state_key'] === stateKey)?.['content'];
    return isJsonObject(found) ? found : undefined;
  };
  const name = find('m.room.name', '')?.['name'];
  const alias = find('m.room.canonical_alias', '')?.['alias'];
  return describer(event, namesOf(name, alias, find('m.room.member', event.sender)?.['displayname']));
}

/** The member event of an invitation to a room that is not here. */
export function invitationOf({ room_id, event_id, pdu }: MembershipTold, roomId: RoomId = room_id): RoomEvent {
  return {
    eventId: event_id,
    roomId,
    type: 'm.room.member',
    sender: pdu['sender'] as UserId, // checked as it was received
    stateKey: String(pdu['state_key']),
    content: contentOf(pdu),
    originServerTs: 0,
    depth: 0,
    prevEvents: [],
    authEvents: [],
    redacts: undefined,
    pdu,
  };
}

/** A room without a name is called by its alias. */
function namesOf(name: unknown, alias: unknown, senderName: unknown): Names {
  const roomAlias = textOf(alias);
  return { roomName: textOf(name) ?? roomAlias, roomAlias, senderName: textOf(senderName) };
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function describer(event: RoomEvent, names: Names): (userId: UserId) => PushedEvent {
  const { eventId, roomId, type, sender, stateKey, content } = event;
  const pushed = { eventId, roomId, type, sender, content, ...names };
  if (type !== 'm.room.member') return () => pushed;
  const membership = String(content['membership']);
  return (userId) => ({ ...pushed, membership, isTarget: stateKey === userId });
}
