import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { RoomId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { DELETED } from '#protocol/state-deletion';
import { contextOf } from '../worker/requester-context.js';
import { RoomWorkers } from '../worker/room-workers.js';
import { checkDeletesSomething, checkState, checkStateKey } from './check-state.js';
import type { EventSent } from './transaction.js';

/**
 * Deletes a key of the state dictionary: the basis of 2015, "Deleting State". Needs what it needs to set the key. Throws
 * M_FORBIDDEN, M_UNSUPPORTED_ROOM_VERSION (state cannot be deleted in rooms of this version), M_INVALID_PARAM (state of this
 * type cannot), M_BAD_STATE (m.room.create), M_NOT_FOUND (nothing holds the key).
 */
export class DeleteState extends Command<EventSent> {
  constructor(
    readonly requester: Requester,
    readonly roomId: RoomId,
    readonly type: string,
    readonly stateKey: string,
  ) {
    super();
  }
}

@CommandHandler(DeleteState)
export class DeleteStateHandler implements ICommandHandler<DeleteState> {
  constructor(
    private readonly workers: RoomWorkers,
    @Inject(VIEWS) private readonly views: Views,
  ) {}

  async execute({ requester, roomId, type, stateKey }: DeleteState): Promise<EventSent> {
    checkStateKey(type, undefined);
    const draft = { type, stateKey, sender: requester.userId, content: { [DELETED]: true } };
    const { result, position } = await this.workers.run(roomId, contextOf(requester), async (turn) => {
      const { version } = turn.head;
      // Who is not in the room is not told what kind of room it is.
      const isInside = (await turn.findMembership(draft.sender)) === 'join';
      if (isInside && !version.stateDeletion) {
        throw new MatrixError('M_UNSUPPORTED_ROOM_VERSION', `State cannot be deleted in room version ${version.id}`);
      }
      await checkState(turn, draft);
      checkDeletesSomething(turn, draft);
      return (await turn.send(draft)).eventId;
    });
    if (position !== undefined) await this.views.whenProcessed(position);
    return { eventId: result };
  }
}
