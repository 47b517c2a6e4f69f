import { Inject } from '@nestjs/common';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { CLOCK, type Clock } from '#kernel/clock';
import type { EventId, RoomId, UserId } from '#kernel/ids';
import { VIEWS, type Views } from '#projections/views';
import type { SoftFailureLifted } from '../facts/lifted-facts.js';
import { STICKY_EVENTS, STICKY_REFUSED } from '../projections/sticky-events.projector.js';
import { refuseByState } from '../receive/5-check-state-before.js';
import type { FactContext, RoomTurn } from '../worker/room-turn.js';
import { RoomWorkers } from '../worker/room-workers.js';

/**
 * Looks again at the sticky events of some users of a room that were soft-failed: what the state of now allows, and still is sticky, who is
 * in the room is told of. MSC4354: "Soft-failure checks MUST be re-evaluated when the membership state changes for a user with unexpired
 * sticky events". Answers whether there was any of it.
 */
export class ReconsiderStickyEvents {
  constructor(
    readonly roomId: RoomId,
    readonly userIds: ReadonlySet<UserId>,
    readonly context: FactContext,
  ) {}
}

@CommandHandler(ReconsiderStickyEvents)
export class ReconsiderStickyEventsHandler implements ICommandHandler<ReconsiderStickyEvents> {
  constructor(
    private readonly workers: RoomWorkers,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  async execute({ roomId, userIds, context }: ReconsiderStickyEvents): Promise<boolean> {
    const refused = await this.#listRefused(roomId, userIds);
    if (refused.length === 0) return false;
    const { position } = await this.workers.run(roomId, context, (turn) => liftInTurn(turn, refused));
    if (position !== undefined) await this.views.whenProcessed(position, [STICKY_EVENTS.name]);
    return position !== undefined;
  }

  async #listRefused(roomId: RoomId, userIds: ReadonlySet<UserId>): Promise<EventId[]> {
    const now = this.clock.now();
    const refused: EventId[] = [];
    await STICKY_REFUSED.forEach(this.views, { prefix: [roomId] }, ({ value }) => {
      if (value.until > now && userIds.has(value.sender)) refused.push(value.event);
    });
    return refused;
  }
}

async function liftInTurn(turn: RoomTurn, eventIds: readonly EventId[]): Promise<void> {
  const { known: room } = turn;
  const known = await room.find(eventIds);
  for (const eventId of eventIds) {
    const one = known.get(eventId);
    if (one?.outcome !== 'soft-failed' || one.isRedacted === true) continue;
    // It was allowed where it stands: what counts is whether it is by what the room has come to.
    if ((await refuseByState(one.event, room.state, known, room)) !== undefined) continue;
    turn.append('soft-failure-lifted', { event_id: eventId } satisfies SoftFailureLifted);
  }
}
