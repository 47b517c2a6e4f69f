import { Inject, Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { CONFIG, type Config } from '#config/config';
import type { RecordedFact } from '#event-store/event-store';
import { type RoomId, serverNameOf, type UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { mayPass } from '#kernel/may-pass';
import type { Effect } from '#projections/effects/effect';
import { VIEWS, type Views } from '#projections/views';
import { ForgetRoom } from '#rooms/commands/forget-room';
import { type MembershipTold, userIdOfElsewhere } from '#rooms/facts/elsewhere-facts';
import { changesNoState, isOfThePast } from '#rooms/facts/fact-text';
import { roomIdOfStream } from '#rooms/facts/room-facts';
import { USER_ROOMS } from '#rooms/projections/membership.projector';
import { createRoomFactReader, currentMembersOf } from '#rooms/projections/room-fact-reader';
import { actForUser } from '../act-for-user.js';

/**
 * Lets who leaves a room, or is put out of it, forget it, where the operator wants that: client-server API, `m.forget_forced_upon_leave`
 * ("irrespective of whether the user has left the room on their own … or has been kicked or banned").
 */
@Injectable()
export class LeftRooms implements Effect {
  readonly name = 'left-rooms';
  readonly #reader = createRoomFactReader();

  constructor(
    private readonly commands: CommandBus,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CONFIG) private readonly config: Pick<Config, 'forgetsLeftRooms' | 'serverName'>,
  ) {}

  /** PERF: of a message, and where nothing is to be forgotten, told from the text. */
  keyOf({ type, stream, data }: RecordedFact): string | undefined {
    if (!this.config.forgetsLeftRooms) return undefined;
    if (type === 'membership-told') return stream;
    if (type !== 'pdu-accepted' || changesNoState(data) || isOfThePast(data)) return undefined;
    return data.includes('"m.room.member"') ? stream : undefined;
  }

  async run(fact: RecordedFact): Promise<boolean> {
    let hasForgotten = false;
    for (const [userId, roomId] of this.#changedBy(fact)) {
      if (await this.#forget(fact, userId, roomId)) hasForgotten = true;
    }
    return hasForgotten;
  }

  #changedBy(fact: RecordedFact): readonly (readonly [UserId, RoomId])[] {
    if (fact.type === 'membership-told') {
      return [[userIdOfElsewhere(fact.stream), (JSON.parse(fact.data) as MembershipTold).room_id]];
    }
    const roomId = roomIdOfStream(fact.stream);
    return currentMembersOf(this.#reader.accepted(fact))
      .map(({ change }) => change.state_key as UserId)
      .filter((userId) => serverNameOf(userId) === this.config.serverName)
      .map((userId) => [userId, roomId] as const);
  }

  async #forget(fact: RecordedFact, userId: UserId, roomId: RoomId): Promise<boolean> {
    const place = await USER_ROOMS.get(this.views, [userId, roomId]);
    const isAway = place?.membership === 'leave' || place?.membership === 'ban';
    if (!isAway || place.forgotten === true) return false;
    try {
      await this.commands.execute(new ForgetRoom(actForUser(userId, fact), roomId));
    } catch (error) {
      // They are in it again by now.
      if (!(error instanceof MatrixError) || mayPass(error)) throw error;
      return false;
    }
    return true;
  }
}
