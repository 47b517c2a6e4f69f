import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { RoomId } from '#kernel/ids';
import type { Requester } from '#kernel/requester';
import { PushRules } from '../push-rules.js';
import { decideSucceedingRules } from '../rules/decide-push-rules.js';

/**
 * Makes the requester's rules about a room for the room that replaces it, all of them or none; answers whether there were any
 * to make. Throws as `decideRule`.
 */
export class CopyRoomRules extends Command<boolean> {
  constructor(
    readonly requester: Requester,
    readonly from: RoomId,
    readonly to: RoomId,
  ) {
    super();
  }
}

@CommandHandler(CopyRoomRules)
export class CopyRoomRulesHandler implements ICommandHandler<CopyRoomRules> {
  constructor(private readonly rules: PushRules) {}

  execute({ requester, from, to }: CopyRoomRules): Promise<boolean> {
    return this.rules.change(requester, (changes, userId) => decideSucceedingRules(userId, changes, from, to));
  }
}
