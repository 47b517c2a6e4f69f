import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { RoomId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { Requester } from '#kernel/requester';
import { Accounts, causeOf } from '../accounts.js';
import { decideAccountData } from '../decide/decide-account-data.js';

/**
 * Keeps private data of the requester, for a room or (undefined) for the account. Also for types that the server manages:
 * the door that clients use refuses those. Throws M_INVALID_PARAM; M_BAD_JSON for tags that are none.
 */
export class SetAccountData extends Command<void> {
  constructor(
    readonly requester: Requester,
    readonly roomId: RoomId | undefined,
    readonly type: string,
    readonly content: JsonObject,
  ) {
    super();
  }
}

@CommandHandler(SetAccountData)
export class SetAccountDataHandler implements ICommandHandler<SetAccountData> {
  constructor(private readonly accounts: Accounts) {}

  async execute({ requester, roomId, type, content }: SetAccountData): Promise<void> {
    await this.accounts.change(
      requester.userId,
      (account) => decideAccountData(account, roomId, type, content),
      causeOf(requester),
    );
  }
}
