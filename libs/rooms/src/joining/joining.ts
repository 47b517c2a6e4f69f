import { Inject, Injectable } from '@nestjs/common';
import { EVENT_STORE, type EventStore, type RecordedFact } from '#event-store/event-store';
import type { EventId, RoomId, ServerName, UserId } from '#kernel/ids';
import { KeyedQueue } from '#kernel/keyed-queue';
import type { Position } from '#kernel/position';
import { isHere, type JoinUnderWay, type RoomHead } from '../decide/room-head.js';
import type { JoinCompleted, JoinGivenUp } from '../facts/join-facts.js';
import { type PduAccepted, roomStream } from '../facts/room-facts.js';
import { pduTextOf } from '../facts/fact-text.js';
import { JoinIndex } from './join-index.js';
import { JoiningRoom } from './joining-room.js';
import { completeJoin } from './complete-join.js';
import { getKnown } from '../receive/known-room.js';
import type { PreparedPdu } from '../receive/outcome.js';
import { giveJoinUp, JoinLost, OtherJoinUnderWay, RoomIsHere } from '../worker/join-in-turn.js';
import { OtherProcesses } from '../worker/other-processes.js';
import { readRevision } from '../worker/read-revisions.js';
import { type RoomTask, RoomWorkers, type TurnResult } from '../worker/room-workers.js';

/** How a join ended that another process ran, or that was left. */
export type JoinEnd =
  | { readonly kind: 'joined'; readonly eventId: EventId; readonly userId: UserId; readonly position: Position }
  | { readonly kind: 'given-up'; readonly reason: string };

/** Joins that bring rooms here: one of a room at a time, and what becomes of one that nobody goes on with. */
@Injectable()
export class Joining {
  readonly #joins = new KeyedQueue<RoomId>();

  constructor(
    private readonly workers: RoomWorkers,
    @Inject(EVENT_STORE) readonly store: EventStore,
    private readonly others: OtherProcesses,
  ) {}

  /**
   * Runs a join after those of the room that are under way, here or in another process, and after what became of one that was left.
   * Where one of those brought the room here, or took this one over, `answer` says what that is to the caller. Throws RoomIsHere
   * where the room was here before.
   */
  async run<T>(roomId: RoomId, join: () => Promise<T>, answer: (end: JoinEnd) => T): Promise<T> {
    const head = await this.#find(roomId);
    const wasHere = head !== undefined && isHere(head);
    return this.#joins.run(roomId, async () => {
      for (;;) {
        const other = await this.#settle(roomId);
        if (other?.kind === 'joined') return answer(other);
        try {
          return await join();
        } catch (error) {
          const hasEnded = error instanceof JoinLost || (error instanceof RoomIsHere && !wasHere);
          if (hasEnded) return answer((await this.#settle(roomId)) ?? (await this.#findEnd(roomId)));
          // Another process was faster to begin one.
          if (!(error instanceof OtherJoinUnderWay)) throw error;
        }
      }
    });
  }

  /**
   * Completes a join of the room that was left, or gives it up; waits for one that is under way, here or in another process. Answers
   * whether there was one.
   */
  settle(roomId: RoomId): Promise<boolean> {
    return this.#joins.run(roomId, async () => (await this.#settle(roomId)) !== undefined);
  }

  /** Runs what brings the rest of a room here, while nothing else of this process does so, nor another process that has begun. */
  fill<T>(roomId: RoomId, fill: () => Promise<T>): Promise<T> {
    return this.#joins.run(roomId, async () => {
      await this.untilFillingIsLeft(roomId);
      return fill();
    });
  }

  /** Settles once no other process fills a room: it is whole then, or was left. */
  async untilFillingIsLeft(roomId: RoomId): Promise<void> {
    await this.others.isLeft(async () => {
      const revision = (await this.#find(roomId))?.partial?.filledAt;
      return revision === undefined ? undefined : { revision };
    });
  }

  /** Ends a join of this process that failed. What cannot be written now is left to whoever settles it. */
  async leave(roomId: RoomId, begun: number): Promise<void> {
    try {
      const head = await this.#find(roomId);
      if (head?.join?.revision === begun) await this.#end(roomId, head, head.join);
    } catch {
      // The caller is told why it failed.
    }
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
    return completeJoin({ room, begun, join, store: this.store, write });
  }

  async #settle(roomId: RoomId): Promise<JoinEnd | undefined> {
    let head = await this.#find(roomId);
    if (head?.join === undefined) return undefined;
    for (; head?.join !== undefined; head = await this.#find(roomId)) {
      if (await this.others.isLeft(() => this.#findLast(roomId))) await this.#endLeft(roomId);
    }
    return this.#findEnd(roomId);
  }

  /** What was written last of a join that is under way. */
  async #findLast(roomId: RoomId): Promise<RecordedFact | undefined> {
    const head = await this.#find(roomId);
    return head?.join && readRevision(this.store, roomId, head.revision);
  }

  async #endLeft(roomId: RoomId): Promise<void> {
    const head = await this.#find(roomId);
    try {
      if (head?.join !== undefined) await this.#end(roomId, head, head.join);
    } catch (error) {
      // It was not left after all.
      if (!(error instanceof JoinLost)) throw error;
    }
  }

  async #end(roomId: RoomId, { state, createEvent, version }: RoomHead, join: JoinUnderWay): Promise<void> {
    const index = state.size === 0 ? undefined : await JoinIndex.read(this.store, roomId);
    const told = index?.told;
    if (index === undefined || told === undefined) {
      await this.giveUp(roomId, join.revision, 'the server ended while the room was being told');
      return;
    }
    const room = new JoiningRoom(roomId, version, createEvent, index, this.store);
    await room.learn(told.state);
    const completed = await this.complete(room, join.revision, await this.readJoin(room, told.eventId, join.via));
    if (typeof completed !== 'string') throw new Error(`${roomId}: a join that was decided is refused now`);
  }

  /** How the last join of a room ended. */
  async #findEnd(roomId: RoomId): Promise<JoinEnd> {
    let completed: { readonly eventId: EventId; readonly position: Position } | undefined;
    for await (const { type, data, position } of this.store.readStream(roomStream(roomId), { backwards: true })) {
      if (type === 'join-given-up') return { kind: 'given-up', reason: (JSON.parse(data) as JoinGivenUp).reason };
      if (type === 'join-completed') completed = { eventId: (JSON.parse(data) as JoinCompleted).event_id, position };
      if (completed === undefined || type !== 'pdu-accepted') continue;
      // The join event, for it stands before the fact that says what it completed.
      return { kind: 'joined', ...completed, userId: (JSON.parse(data) as PduAccepted).pdu['sender'] as UserId };
    }
    throw new Error(`${roomId}: no join of it has ended`);
  }

  #find(roomId: RoomId): Promise<RoomHead | undefined> {
    return this.workers.look(roomId, async ({ head }) => head);
  }

  /** What was prepared and allowed by the policy before the join was decided. */
  async readJoin(room: JoiningRoom, eventId: EventId, origin: ServerName): Promise<PreparedPdu> {
    const { revision } = room.index.outliers.get(eventId)!;
    const { data } = await readRevision(this.store, room.roomId, revision);
    const { event } = getKnown(await room.find([eventId]), eventId);
    return { kind: 'prepared', event, pduText: pduTextOf(data), origin, verdict: { isAllowed: true } };
  }
}
