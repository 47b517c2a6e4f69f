import { Inject, Injectable } from '@nestjs/common';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import type { EventId, RoomId, ServerName, UserId } from '#kernel/ids';
import { KeyedQueue } from '#kernel/keyed-queue';
import type { Position } from '#kernel/position';
import type { RoomHead } from '../decide/room-head.js';
import { pduTextOf } from '../facts/room-facts.js';
import { JoinIndex } from '../joining/join-index.js';
import { JoiningRoom } from '../joining/joining-room.js';
import { completeInPieces } from '../joining/complete-join.js';
import { getKnown } from '../receive/known-room.js';
import type { PreparedPdu } from '../receive/outcome.js';
import { giveJoinUp, JoinLost } from '../worker/join-in-turn.js';
import { readRevision } from '../worker/read-revisions.js';
import { type RoomTask, RoomWorkers, type TurnResult } from '../worker/room-workers.js';
import { UnknownRoom } from '../worker/unknown-room.js';

/** Joins that bring rooms here: one of a room at a time, and what becomes of one that nobody goes on with. */
@Injectable()
export class Joining {
  readonly #joins = new KeyedQueue<RoomId>();

  constructor(
    private readonly workers: RoomWorkers,
    @Inject(EVENT_STORE) readonly store: EventStore,
  ) {}

  /**
   * Runs a join after those of the room that are under way in this process, and after what became of one that was left. What it
   * leaves where it fails is settled too, if the log can be reached.
   */
  run<T>(roomId: RoomId, join: () => Promise<T>): Promise<T> {
    return this.#joins.run(roomId, async () => {
      await this.#settle(roomId);
      try {
        return await join();
      } catch (error) {
        // One that another process took has ended; what is under way in the room now is the other's.
        if (!(error instanceof JoinLost)) await this.#settle(roomId).catch(() => {});
        throw error;
      }
    });
  }

  /**
   * Completes a join of the room that was left, or gives it up; waits for one that this process runs. Answers whether there was one.
   */
  settle(roomId: RoomId): Promise<boolean> {
    return this.#joins.run(roomId, () => this.#settle(roomId));
  }

  async giveUp(roomId: RoomId, begun: number, reason: string): Promise<void> {
    await this.workers.join(roomId, { actor: 'server' }, async (turn) => {
      if (turn.head.join?.revision === begun) giveJoinUp(turn, reason);
    });
  }

  /**
   * Lets the state that was told and the join event be the room's, in several writes. The room shows with the last, and until then
   * whoever finds the join left completes it. Answers why it cannot be: then nothing was written.
   */
  complete(room: JoiningRoom, begun: number, join: PreparedPdu): Promise<Position | { readonly refusal: string }> {
    const write = (actor: UserId | ServerName, task: RoomTask<unknown>): Promise<TurnResult<unknown>> =>
      this.workers.join(room.roomId, { actor }, task);
    return completeInPieces({ room, begun, join, store: this.store, write });
  }

  async #settle(roomId: RoomId): Promise<boolean> {
    const head = await this.#find(roomId);
    if (head?.join === undefined) return false;
    const { join, state, createEvent, version } = head;
    const index = state.size === 0 ? undefined : await JoinIndex.read(this.store, roomId);
    const told = index?.told;
    if (index === undefined || told === undefined) {
      await this.giveUp(roomId, join.revision, 'the server ended while the room was being told');
      return true;
    }
    const room = new JoiningRoom(roomId, version, createEvent, index, this.store);
    await room.learn(told.state);
    const completed = await this.complete(room, join.revision, await this.#readJoin(room, told.eventId, join.via));
    if (typeof completed !== 'string') throw new Error(`${roomId}: a join that was decided is refused now`);
    return true;
  }

  async #find(roomId: RoomId): Promise<RoomHead | undefined> {
    try {
      return (await this.workers.join(roomId, { actor: 'server' }, async ({ head }) => head)).result;
    } catch (error) {
      if (error instanceof UnknownRoom) return undefined;
      throw error;
    }
  }

  /** What was prepared and allowed by the policy before the join was decided. */
  async #readJoin(room: JoiningRoom, eventId: EventId, origin: ServerName): Promise<PreparedPdu> {
    const { revision } = room.index.outliers.get(eventId)!;
    const { data } = await readRevision(this.store, room.roomId, revision);
    const { event } = getKnown(await room.find([eventId]), eventId);
    return { kind: 'prepared', event, pduText: pduTextOf(data), origin, policy: { isAllowed: true } };
  }
}
