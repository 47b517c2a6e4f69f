import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { EventId, RoomId, UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { mayPass } from '#kernel/may-pass';
import { VIEWS, type Views } from '#projections/views';
import type { RoomEvent } from '#protocol/room-event';
import type { OrderedRedaction } from '../facts/ordered-redaction.js';
import { RoomWorkers } from '../worker/room-workers.js';
import type { RoomTurn } from '../worker/room-turn.js';
import { losesByRedaction, mayRedact, redactHere, staysWithRoom } from './redact-here.js';
import { acceptRedaction, draftRedaction } from './redaction.js';

/** So many events are redacted in one turn of a room: each may be an event of its own, which is signed. */
const IN_A_TURN = 50;

/** Whose content goes, and how. */
export interface ErasureOfEvents {
  /** The user whose content it is. */
  readonly userId: UserId;
  /** Where the user may redact an event of theirs in the room that is done in their name, so that every server hears of it. */
  readonly isTold: boolean;
  readonly order: OrderedRedaction;
}

/**
 * Takes away what a redaction takes of events that hold what a user said: of those the user sent in the user's own name where that is wanted
 * and the room lets them, of all others on this server alone. State that is the room's stays (`staysWithRoom`). Answers how many
 * of them it has come to, in their order: whoever has more says the rest again. Throws what a room throws that is not here.
 */
export class EraseEvents extends Command<number> {
  constructor(
    readonly roomId: RoomId,
    readonly eventIds: readonly EventId[],
    readonly erasure: ErasureOfEvents,
  ) {
    super();
  }
}

@CommandHandler(EraseEvents)
export class EraseEventsHandler implements ICommandHandler<EraseEvents> {
  constructor(
    private readonly workers: RoomWorkers,
    @Inject(VIEWS) private readonly views: Views,
  ) {}

  async execute({ roomId, eventIds, erasure }: EraseEvents): Promise<number> {
    const some = eventIds.slice(0, IN_A_TURN);
    const { position } = await this.workers.run(roomId, { actor: erasure.order.by ?? 'server' }, async (turn) => {
      const known = await turn.known.find(some);
      for (const eventId of some) {
        const { event, isRedacted } = known.get(eventId) ?? {};
        const isOpen = event !== undefined && isRedacted !== true && !staysWithRoom(event, erasure.userId);
        if (isOpen && losesByRedaction(event.pdu, turn.head.version)) await erase(turn, event, erasure);
      }
    });
    if (position !== undefined) await this.views.whenProcessed(position);
    return some.length;
  }
}

async function erase(turn: RoomTurn, event: RoomEvent, { userId, isTold, order }: ErasureOfEvents): Promise<void> {
  if (isTold && event.sender === userId && (await redactInRoom(turn, event, order))) return;
  redactHere(turn, event, order);
}

/** In the name of its sender. Answers whether the room let them. */
async function redactInRoom(turn: RoomTurn, event: RoomEvent, { reason }: OrderedRedaction): Promise<boolean> {
  const draft = draftRedaction(turn, event.sender, event.eventId, reason === undefined ? {} : { reason });
  if (!(await mayRedact(turn, draft, event))) return false;
  try {
    await acceptRedaction(turn, draft, event);
    return true;
  } catch (error) {
    if (error instanceof MatrixError && !mayPass(error)) return false;
    throw error;
  }
}
