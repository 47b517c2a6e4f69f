import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { RoomId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { Requester } from '#kernel/requester';
import { Accounts, causeOf } from '../accounts.js';
import { decideTag, decideTagRemoval } from '../decide/decide-account-data.js';

/** Puts a tag on a room, or takes it off where `content` is undefined. Throws M_INVALID_PARAM, M_BAD_JSON. */
export class SetTag extends Command<void> {
  constructor(
    readonly requester: Requester,
    readonly roomId: RoomId,
    readonly tag: string,
    readonly content: JsonObject | undefined,
  ) {
    super();
  }
}

@CommandHandler(SetTag)
export class SetTagHandler implements ICommandHandler<SetTag> {
  constructor(private readonly accounts: Accounts) {}

  async execute({ requester, roomId, tag, content }: SetTag): Promise<void> {
    await this.accounts.change(
      requester.userId,
      (account) =>
        content === undefined ? decideTagRemoval(account, roomId, tag) : decideTag(account, roomId, tag, content),
      causeOf(requester),
    );
  }
}
