import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { JsonObject } from '#kernel/json';
import type { Requester } from '#kernel/requester';
import { Accounts, causeOf } from '../accounts.js';
import { decideFilter } from '../decide/decide-account-data.js';
import { filterIdOf } from '../filters/filter.js';

/** Keeps a filter, already parsed by the door, and answers its id: the same filter has the same id for ever. */
export class CreateFilter extends Command<string> {
  constructor(
    readonly requester: Requester,
    readonly filter: JsonObject,
  ) {
    super();
  }
}

@CommandHandler(CreateFilter)
export class CreateFilterHandler implements ICommandHandler<CreateFilter> {
  constructor(private readonly accounts: Accounts) {}

  async execute({ requester, filter }: CreateFilter): Promise<string> {
    const filterId = filterIdOf(filter);
    await this.accounts.change(
      requester.userId,
      (account) => decideFilter(account, filterId, filter),
      causeOf(requester),
    );
    return filterId;
  }
}
