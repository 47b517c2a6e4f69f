import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { EventId, RoomId, ServerName } from '#kernel/ids';
import { KeyedQueue } from '#kernel/keyed-queue';
import type { AlreadyKnown, Dropped, MissingEvents } from '../receive/outcome.js';
import { learnState } from '../receive/learn-state.js';
import { learnInTurn } from '../worker/receive-in-turn.js';
import { RoomWorkers } from '../worker/room-workers.js';
import { EndMerging } from './merge-ends.js';
import { type Receipt, Receiving } from './receiving.js';

/**
 * Receives the state before an event whose parents nobody has: server-server API, "Retrieving state". Each event of the state was
 * received before. The event itself is judged by it where it waits. Answers what is missing, or why the state is none; that the event
 * was judged before, as a receipt says it. Throws as ReceivePdus.
 */
export class ReceiveState {
  constructor(
    readonly origin: ServerName,
    readonly roomId: RoomId,
    readonly eventId: EventId,
    readonly stateEvents: readonly EventId[],
  ) {}
}

@CommandHandler(ReceiveState)
export class ReceiveStateHandler implements ICommandHandler<ReceiveState> {
  /** The parts of a state follow upon each other. */
  readonly #states = new KeyedQueue<string>();

  constructor(
    private readonly workers: RoomWorkers,
    private readonly receiving: Receiving,
    private readonly merging: EndMerging,
  ) {}

  execute(command: ReceiveState): Promise<Receipt | Dropped | MissingEvents> {
    return this.#states.run(`${command.roomId} ${command.eventId}`, () => this.#receive(command));
  }

  async #receive(command: ReceiveState): Promise<Receipt | Dropped | MissingEvents> {
    const { origin, roomId } = command;
    const context = { actor: origin };
    const { result: learned } = await this.workers.run(roomId, context, (turn) => learnState(command, turn.known));
    if (learned.kind === 'known') return this.#settle(command, learned);
    if (learned.kind !== 'learnt') return learned;
    for (let done = 0; done < learned.parts.length;) {
      const { result } = await this.workers.run(roomId, context, (turn) => learnInTurn(turn, learned, done));
      if (typeof result !== 'number') return result.kind === 'known' ? this.#settle(command, result) : result;
      done = result;
    }
    return this.#settle(command);
  }

  /** Judges the event where it waits. `known`: it was judged before, by another process perhaps, and others may wait for it here. */
  async #settle({ roomId, eventId }: ReceiveState, known?: AlreadyKnown): Promise<Receipt> {
    const judged = await this.receiving.judgeWaiting(roomId, eventId);
    const told = judged.length === 0 && known !== undefined ? [{ received: known }] : judged;
    const receipt = await this.receiving.settle(roomId, told);
    if (receipt.isMergeDue) await this.merging.merge(roomId);
    return receipt;
  }
}
