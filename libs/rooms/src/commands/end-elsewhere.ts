import { Inject } from '@nestjs/common';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { isUserId, type RoomId, type ServerName, serverNameOf, type UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import { EVENT_AUTHOR, type EventAuthor } from '../decide/decide-event.js';
import type { WantedKey } from '../server-keys.js';
import { MembershipsElsewhere, type PlaceElsewhere } from './memberships-elsewhere.js';
import { Receiving } from './receiving.js';

/**
 * Takes the end of an invitation, or of a knock, of a user here at a room that is not here: its server took it back, or refused it.
 * Nothing is known of the room by which such an event could be judged: it is believed where its sender is of the server that invited the
 * user, or took their knock. Answers whether it was taken, or keys that lack.
 */
export class EndElsewhere {
  constructor(
    readonly origin: ServerName,
    readonly roomId: RoomId,
    readonly pdu: JsonObject,
  ) {}
}

export type EndTaken = boolean | { readonly wantedKeys: readonly WantedKey[] };

@CommandHandler(EndElsewhere)
export class EndElsewhereHandler implements ICommandHandler<EndElsewhere> {
  constructor(
    private readonly receiving: Receiving,
    private readonly elsewhere: MembershipsElsewhere,
    @Inject(EVENT_AUTHOR) private readonly author: EventAuthor,
  ) {}

  async execute({ origin, roomId, pdu }: EndElsewhere): Promise<EndTaken> {
    const { type, state_key: userId } = pdu;
    if (type !== 'm.room.member' || !this.#isOurs(userId)) return false;
    const place = await this.elsewhere.find(userId, roomId);
    const version = place && findRoomVersion(place.roomVersion);
    if (place === undefined || version === undefined || !isOpen(place)) return false;
    const [prepared] = await this.receiving.prepare([pdu], { roomId, version, origin });
    if (prepared?.kind === 'dropped' && prepared.wantedKeys.length > 0) return { wantedKeys: prepared.wantedKeys };
    if (prepared?.kind !== 'prepared' || prepared.isAltered === true) return false;
    const { event } = prepared;
    const { membership } = event.content;
    if (membership !== 'leave' && membership !== 'ban') return false;
    if (event.sender === userId || !place.tellers.includes(serverNameOf(event.sender))) return false;
    const { unsigned: _, ...signed } = event.pdu;
    const told = { room_id: roomId, room_version: version.id, membership, event_id: event.eventId, origin } as const;
    await this.elsewhere.tell(userId, { ...told, pdu: signed, state: [] }, { actor: origin });
    return true;
  }

  #isOurs(userId: unknown): userId is UserId {
    return typeof userId === 'string' && isUserId(userId) && serverNameOf(userId) === this.author.serverName;
  }
}

function isOpen({ membership }: PlaceElsewhere): boolean {
  return membership === 'invite' || membership === 'knock';
}
