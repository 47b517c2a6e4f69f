import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { causeOf } from '#accounts/accounts';
import type { Requester } from '#kernel/requester';
import { AddressBooks } from '../address-books.js';
import { decideRemoval } from '../decide/decide-contacts.js';

/** Takes a contact out of the requester's address book, or (undefined) all of them. Throws M_NOT_FOUND. */
export class RemoveContact extends Command<void> {
  constructor(
    readonly requester: Requester,
    readonly contactId: string | undefined,
  ) {
    super();
  }
}

@CommandHandler(RemoveContact)
export class RemoveContactHandler implements ICommandHandler<RemoveContact> {
  constructor(private readonly books: AddressBooks) {}

  async execute({ requester, contactId }: RemoveContact): Promise<void> {
    const cause = causeOf(requester);
    if (contactId === undefined) await this.books.end(requester.userId, cause);
    else await this.books.change(requester.userId, cause, (book) => decideRemoval(book, contactId));
  }
}
