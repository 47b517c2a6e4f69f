import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Requester } from '#kernel/requester';
import { Accounts, causeOf } from '../accounts.js';
import { decideReaders } from '../decide/decide-readers.js';
import type { ListedData, ReaderEntry } from '../facts/account-facts.js';

/**
 * Says who may read a field of the requester's profile, or a piece of their private data; `undefined`: as it is without a list. What rooms
 * show of it follows from the fact. Throws as `decideReaders`.
 */
export class SetReaders extends Command<void> {
  constructor(
    readonly requester: Requester,
    readonly of: ListedData,
    readonly key: string,
    readonly readers: readonly ReaderEntry[] | undefined,
  ) {
    super();
  }
}

@CommandHandler(SetReaders)
export class SetReadersHandler implements ICommandHandler<SetReaders> {
  constructor(private readonly accounts: Accounts) {}

  async execute({ requester, of, key, readers }: SetReaders): Promise<void> {
    await this.accounts.change(
      requester.userId,
      (account) => decideReaders(account, of, key, readers),
      causeOf(requester),
    );
  }
}
