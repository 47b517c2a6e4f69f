import { Injectable } from '@nestjs/common';
import { Accounts } from '#accounts/accounts';
import type { AccountFact } from '#accounts/facts/account-facts';
import { AddressBooks } from '#contacts/address-books';
import { type ContactFact, userIdOfContacts } from '#contacts/facts/contact-facts';
import type { RecordedFact } from '#event-store/event-store';
import { isSaidAgain } from '#event-store/shorten-stream';
import { userIdOfStream } from '#kernel/user-stream';
import type { Effect } from '#projections/effects/effect';

const DEACTIVATED: AccountFact['type'] = 'account-deactivated';
const PUT: ContactFact['type'] = 'contact-put';

/**
 * Lets the address book go with the account. A request that was under way meanwhile may put a contact behind that: so it is looked after each whether the
 * account is there.
 */
@Injectable()
export class EndedContacts implements Effect {
  readonly name = 'ended-contacts';

  constructor(
    private readonly books: AddressBooks,
    private readonly accounts: Accounts,
  ) {}

  keyOf(fact: RecordedFact): string | undefined {
    if (fact.type === DEACTIVATED) return userIdOfStream(fact.stream);
    return fact.type === PUT && !isSaidAgain(fact) ? userIdOfContacts(fact.stream) : undefined;
  }

  async run({ type, stream, metadata }: RecordedFact): Promise<boolean> {
    const userId = type === DEACTIVATED ? userIdOfStream(stream) : userIdOfContacts(stream);
    if (type !== DEACTIVATED && !(await this.accounts.load(userId)).deactivated) return false;
    return this.books.end(userId, { actor: metadata.actor, device: metadata.device });
  }
}
