import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { causeOf } from '#accounts/accounts';
import type { Requester } from '#kernel/requester';
import { AddressBooks } from '../address-books.js';
import { decideShared } from '../decide/decide-contacts.js';
import type { Address } from '../facts/contact-facts.js';

/** Says whether an address is that of several people, so that it joins no contacts. Throws as `decideShared`. */
export class ShareAddress extends Command<void> {
  constructor(
    readonly requester: Requester,
    readonly address: Address,
    readonly shared: boolean,
  ) {
    super();
  }
}

@CommandHandler(ShareAddress)
export class ShareAddressHandler implements ICommandHandler<ShareAddress> {
  constructor(private readonly books: AddressBooks) {}

  async execute({ requester, address, shared }: ShareAddress): Promise<void> {
    await this.books.change(requester.userId, causeOf(requester), (book) => decideShared(book, address, shared));
  }
}
