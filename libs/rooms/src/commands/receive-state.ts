import { Inject } from '@nestjs/common';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { EVENT_STORE, type EventStore, type RecordedFact } from '#event-store/event-store';
import type { EventId, RoomId, ServerName } from '#kernel/ids';
import { KeyedQueue } from '#kernel/keyed-queue';
import type { AlreadyKnown, Dropped, MissingEvents } from '../receive/outcome.js';
import { type LearnedState, learnState, type ToldStateBefore } from '../receive/learn-state.js';
import { OtherProcesses } from '../worker/other-processes.js';
import { readRevision } from '../worker/read-revisions.js';
import { learnInTurn, type ToldOtherwise } from '../worker/receive-in-turn.js';
import { RoomWorkers } from '../worker/room-workers.js';
import { ExtremityMerging } from './merge-extremities.js';
import { type Receipt, Receiving } from './receiving.js';

/**
 * Receives the state before an event whose parents nobody has, or those before its parents: server-server API, "Retrieving state". Each
 * event of a state was received before. The event itself is judged by it where it waits. Answers what is missing, or why the state is none; that the event
 * was judged before, as a receipt says it. Where another process is telling the state before this event, that one counts: this one
 * waits for it, and goes on where it was left. Throws as ReceivePdus.
 */
export class ReceiveState {
  constructor(
    readonly origin: ServerName,
    readonly roomId: RoomId,
    readonly eventId: EventId,
    readonly stateEvents: ToldStateBefore['stateEvents'],
  ) {}
}

@CommandHandler(ReceiveState)
export class ReceiveStateHandler implements ICommandHandler<ReceiveState> {
  /** The parts of a state follow upon each other. */
  readonly #states = new KeyedQueue<string>();

  constructor(
    private readonly workers: RoomWorkers,
    private readonly receiving: Receiving,
    private readonly merging: ExtremityMerging,
    private readonly others: OtherProcesses,
    @Inject(EVENT_STORE) private readonly store: EventStore,
  ) {}

  execute(command: ReceiveState): Promise<Receipt | Dropped | MissingEvents> {
    return this.#states.run(`${command.roomId} ${command.eventId}`, () => this.#receive(command));
  }

  async #receive(command: ReceiveState): Promise<Receipt | Dropped | MissingEvents> {
    const { origin, roomId } = command;
    for (let takesOver = false; ;) {
      const { result: learned } = await this.workers.run(roomId, { actor: origin }, (turn) =>
        learnState(command, turn.known),
      );
      if (learned.kind === 'known') return this.#settle(command, learned);
      if (learned.kind !== 'learnt') return learned;
      const written = await this.#write(command, learned, takesOver);
      if (written?.kind !== 'told-otherwise') return this.#settle(command, written);
      takesOver = await this.others.isLeft(() => this.#findLast(command));
      if (!takesOver) return this.#settle(command);
    }
  }

  /** Writes a state down, in several turns. Answers why not; undefined where all of it is there. */
  async #write(
    { origin, roomId }: ReceiveState,
    learned: LearnedState,
    takesOver: boolean,
  ): Promise<AlreadyKnown | ToldOtherwise | undefined> {
    for (let done = 0; done < learned.parts.length;) {
      const { result } = await this.workers.run(roomId, { actor: origin }, (turn) =>
        learnInTurn(turn, learned, { done, takesOver }),
      );
      if (typeof result !== 'number') return result;
      done = result;
    }
    return undefined;
  }

  /** The last part of a state before the event that another process tells; undefined once all are there, or the event was judged. */
  async #findLast({ roomId, eventId }: ReceiveState): Promise<RecordedFact | undefined> {
    const revision = await this.workers.look(roomId, async ({ known }) => {
      const outcome = (await known.find([eventId])).get(eventId)?.outcome;
      const told = await known.findTelling(eventId);
      const isUnderWay = (outcome === undefined || outcome === 'outlier') && told !== undefined;
      return isUnderWay && told.part < told.parts ? told.revision : undefined;
    });
    return revision === undefined ? undefined : readRevision(this.store, roomId, revision);
  }

  /** Judges the event where it waits. `known`: it was judged before, by another process perhaps, and others may wait for it here. */
  async #settle({ roomId, eventId }: ReceiveState, known?: AlreadyKnown): Promise<Receipt> {
    const judged = await this.receiving.judgeWaiting(roomId, eventId);
    const told = judged.length === 0 && known !== undefined ? [{ received: known }] : judged;
    const receipt = await this.receiving.settle(roomId, told);
    await this.merging.merge(roomId, receipt.open);
    return receipt;
  }
}
