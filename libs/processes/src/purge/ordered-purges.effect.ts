import { setTimeout as pause } from 'node:timers/promises';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { PurgeOrdered } from '#admin/facts/purge-facts';
import { RoomPurges } from '#admin/purges/room-purges';
import type { RecordedFact } from '#event-store/event-store';
import { isSaidAgain } from '#event-store/shorten-stream';
import type { RoomId, UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { type Position, START } from '#kernel/position';
import type { Effect } from '#projections/effects/effect';
import { VIEWS, type Views } from '#projections/views';
import { PurgeRoom } from '#rooms/commands/purge-room';
import { OWN_STAYS, type OwnStanding } from '#rooms/projections/deserted-rooms.projector';
import { JOINS_ELSEWHERE } from '#rooms/projections/handshakes.projector';
import { actForUser } from '../act-for-user.js';
import { leaveForUser } from '../leave-for-user.js';

const STAYS = 'a user could not leave a room that is to be purged';
/** For so long who listens is left to hear how they left, before nothing of the room is told any more. */
const TELL_MS = 3_000;
/** So many of those who left are told so once more when it is purged, and of those who could not so many are named. */
const MOST_LEFT = 10_000;
const MOST_STAYED = 100;

/** Begins each purge that was ordered: whoever of this server is in the room leaves it, if that is said, and then it is let go of. */
@Injectable()
export class OrderedPurges implements Effect {
  readonly name = 'ordered-purges';
  readonly #log = new Logger('processes');

  constructor(
    private readonly commands: CommandBus,
    private readonly purges: RoomPurges,
    @Inject(VIEWS) private readonly views: Views,
  ) {}

  keyOf(fact: RecordedFact): string | undefined {
    if (fact.type !== 'purge-ordered' || isSaidAgain(fact)) return undefined;
    return (JSON.parse(fact.data) as PurgeOrdered).room_id;
  }

  async run(fact: RecordedFact): Promise<boolean> {
    const { purge_id, room_id: roomId, users_leave: usersLeave } = JSON.parse(fact.data) as PurgeOrdered;
    const known = (await this.purges.load()).purges.get(purge_id);
    if (known === undefined || known.ended !== undefined) return false;
    const purge = { purge_id, room_id: roomId };
    if (known.begun === undefined) {
      await this.purges.begin({ ...purge, ...(usersLeave === true ? await this.#leave(roomId, fact) : {}) });
    }
    try {
      await this.purges.checkNotHeld(roomId);
      await this.#checkDeserted(roomId);
      await this.commands.execute(new PurgeRoom(roomId, { actor: fact.metadata.actor }));
    } catch (error) {
      if (!(error instanceof MatrixError) || error.status >= 500) throw error;
      // After a crash it may be gone by this very purge.
      const isGone = error.errcode === 'M_NOT_FOUND' && known.begun !== undefined;
      await this.purges.end(isGone ? purge : { ...purge, refused: error.message });
    }
    return true;
  }

  /** Also of who is joining it, and who was invited by another server since, which the room itself does not know. */
  async #checkDeserted(roomId: RoomId): Promise<void> {
    const joining = await JOINS_ELSEWHERE.scan(this.views, { prefix: [roomId], limit: 1 });
    const there = await OWN_STAYS.scan(this.views, { prefix: [roomId, 'in'], limit: 1 });
    const who = joining[0]?.key[1] ?? there[0]?.key[2];
    if (who !== undefined) throw new MatrixError('M_FORBIDDEN', `${who} is in the room, or invited, or knocks`);
  }

  /** Answers who left, and who did not. */
  async #leave(roomId: RoomId, fact: RecordedFact): Promise<{ left?: readonly UserId[]; stayed?: readonly UserId[] }> {
    const users = await this.#list(roomId, 'in');
    for (const userId of users) await leaveForUser(this.commands, actForUser(userId, fact), roomId, this.#log, STAYS);
    if (users.length > 0) await pause(TELL_MS);
    const stayed = await this.#list(roomId, 'in');
    // Also who left before a crash.
    const left = (await this.#list(roomId, 'out', fact.position)).slice(0, MOST_LEFT);
    return {
      ...(left.length === 0 ? {} : { left }),
      ...(stayed.length === 0 ? {} : { stayed: stayed.slice(0, MOST_STAYED) }),
    };
  }

  /** Who of this server is in a room, or is no more, since a place. */
  async #list(roomId: RoomId, standing: OwnStanding, since: Position = START): Promise<UserId[]> {
    const users: UserId[] = [];
    for await (const page of OWN_STAYS.pages(this.views, { prefix: [roomId, standing] }))
      for (const { key, value } of page) if (value > since) users.push(key[2]);
    return users;
  }
}
