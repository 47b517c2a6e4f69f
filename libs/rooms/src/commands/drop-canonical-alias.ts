import { Inject } from '@nestjs/common';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { foldRoomAlias, isRoomAlias, type RoomAlias, type RoomId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { mayPass } from '#kernel/may-pass';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { contextOf } from '../worker/requester-context.js';
import { RoomWorkers } from '../worker/room-workers.js';

/**
 * Takes an alias that was deleted out of the room's m.room.canonical_alias, where it is named there and the user may change
 * that: client-server API, `DELETE /directory/room/{roomAlias}`. A user who may not, or a room that is gone, is no error. Throws what may pass.
 */
export class DropCanonicalAlias {
  constructor(
    readonly requester: Requester,
    readonly roomId: RoomId,
    readonly alias: RoomAlias,
  ) {}
}

@CommandHandler(DropCanonicalAlias)
export class DropCanonicalAliasHandler implements ICommandHandler<DropCanonicalAlias> {
  constructor(
    private readonly workers: RoomWorkers,
    @Inject(VIEWS) private readonly views: Views,
  ) {}

  async execute({ requester, roomId, alias }: DropCanonicalAlias): Promise<void> {
    const dropped = this.workers.run(roomId, contextOf(requester), async (turn) => {
      const current = await turn.findState('m.room.canonical_alias');
      const content = current && contentWithout(current.content, alias);
      if (content === undefined) return;
      await turn.send({ type: 'm.room.canonical_alias', stateKey: '', sender: requester.userId, content });
    });
    try {
      const { position } = await dropped;
      if (position !== undefined) await this.views.whenProcessed(position);
    } catch (error) {
      if (!(error instanceof MatrixError) || mayPass(error)) throw error;
    }
  }
}

/** Whether a value names an alias, in whatever case. */
export function isSameAlias(value: unknown, alias: RoomAlias): boolean {
  return typeof value === 'string' && isRoomAlias(value) && foldRoomAlias(value) === foldRoomAlias(alias);
}

/** The content with an alias taken out; undefined where it does not name it. */
function contentWithout(content: JsonObject, alias: RoomAlias): JsonObject | undefined {
  const { alias: main, alt_aliases: others, ...rest } = content;
  const listed = Array.isArray(others) ? others : [];
  const isIt = (one: unknown): boolean => isSameAlias(one, alias);
  if (!isIt(main) && !listed.some(isIt)) return undefined;
  return {
    ...rest,
    ...(isIt(main) || main === undefined ? {} : { alias: main }),
    ...(others === undefined ? {} : { alt_aliases: listed.filter((other) => !isIt(other)) }),
  };
}
