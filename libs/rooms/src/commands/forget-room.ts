import { Inject } from '@nestjs/common';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { Aggregates } from '#event-store/aggregates';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import { factId } from '#event-store/fact-id';
import { CLOCK, type Clock } from '#kernel/clock';
import type { RoomId } from '#kernel/ids';
import { userStream } from '#kernel/user-stream';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import type { CacheNumbers } from '#kernel/lru-cache';
import { VIEWS, type Views } from '#projections/views';
import { USER_ROOMS } from '../projections/membership.projector.js';
import type { RoomForgotten } from '../facts/room-facts.js';
import { contextOf } from '../worker/requester-context.js';

/**
 * Lets the user hear of a room no more: client-server API, "Leaving rooms". Only for rooms the user has left or is banned
 * from: otherwise M_UNKNOWN with status 400, as the specification has it.
 */
export class ForgetRoom {
  constructor(
    readonly requester: Requester,
    readonly roomId: RoomId,
  ) {}
}

@CommandHandler(ForgetRoom)
export class ForgetRoomHandler implements ICommandHandler<ForgetRoom> {
  /** The user's stream; nothing of it is needed to decide, only where it ends. */
  readonly #streams: Aggregates<null>;

  constructor(
    @Inject(EVENT_STORE) store: EventStore,
    @Inject(CLOCK) clock: Clock,
    @Inject(VIEWS) private readonly views: Views,
  ) {
    const end = { initialState: null, evolve: () => null, newestOnly: true } as const;
    this.#streams = new Aggregates({ store, clock, capacity: 1_000, ...end });
  }

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#streams.numbers;
  }

  async execute({ requester, roomId }: ForgetRoom): Promise<void> {
    const place = await USER_ROOMS.get(this.views, [requester.userId, roomId]);
    const membership = place?.membership;
    if (membership !== undefined && membership !== 'leave' && membership !== 'ban') {
      throw new MatrixError('M_UNKNOWN', 'You have to leave a room before you forget it', { status: 400 });
    }
    if (place === undefined || place.forgotten === true) return;
    const data = JSON.stringify({ room_id: roomId } satisfies RoomForgotten);
    const { position } = await this.#streams.execute(
      userStream(requester.userId),
      () => [{ id: factId(`forgotten ${requester.userId} ${place.event_id}`), type: 'room-forgotten', data }],
      contextOf(requester),
    );
    await this.views.whenProcessed(position, [USER_ROOMS.name]);
  }
}
