import { Inject } from '@nestjs/common';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { isUserId, type RoomId, type ServerName, serverNameOf, type UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import { EVENT_AUTHOR, type EventAuthor } from '../decide/decide-event.js';
import { tellerOf } from '../projections/kept-memberships.projector.js';
import type { WantedKey } from '../server-keys.js';
import { isOpen, MembershipsElsewhere, type PlaceElsewhere } from './memberships-elsewhere.js';
import { Receiving } from './receiving.js';

/**
 * Takes the end of an invitation, or of a knock, of a user here at a room that is not here: its server took it back, or refused it.
 * Nothing is known of the room by which such an event could be judged: it is believed where its sender is of the server that invited the
 * user, or took their knock, and of what that server said alone. Answers whether it was taken, or keys that lack.
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
    const { type, state_key: userId, sender } = pdu;
    if (type !== 'm.room.member' || !this.#isOurs(userId) || typeof sender !== 'string') return false;
    if (sender === userId || !isUserId(sender)) return false;
    const place = await this.elsewhere.find(userId, roomId);
    const version = place && isOpen(place) ? versionBy(serverNameOf(sender), place, userId) : undefined;
    if (version === undefined) return false;
    const [prepared] = await this.receiving.prepare([pdu], { roomId, version, origin });
    if (prepared?.kind === 'dropped' && prepared.wantedKeys.length > 0) return { wantedKeys: prepared.wantedKeys };
    if (prepared?.kind !== 'prepared' || prepared.isAltered === true) return false;
    const { event } = prepared;
    const { membership } = event.content;
    if (membership !== 'leave' && membership !== 'ban') return false;
    const { unsigned: _, ...signed } = event.pdu;
    const told = { room_id: roomId, room_version: version.id, membership, event_id: event.eventId, origin } as const;
    await this.elsewhere.end(userId, { ...told, pdu: signed, state: [] }, { actor: origin });
    return true;
  }

  #isOurs(userId: unknown): userId is UserId {
    return typeof userId === 'string' && isUserId(userId) && serverNameOf(userId) === this.author.serverName;
  }
}

/** The version of the room as a server told it that invited the user, or took their knock; undefined where it did not. */
function versionBy(server: ServerName, place: PlaceElsewhere, userId: UserId): RoomVersion | undefined {
  if (place.tellers.includes(server)) return findRoomVersion(place.roomVersion);
  const kept = place.beside.find((told) => tellerOf(told, userId) === server);
  return kept && findRoomVersion(kept.room_version);
}
