import { randomBytes } from 'node:crypto';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { causeOf } from '#accounts/accounts';
import type { Requester } from '#kernel/requester';
import { AddressBooks } from '../address-books.js';
import { decideContacts, type NewContact } from '../decide/decide-contacts.js';
import { bytesOf } from '../decide/known-book.js';

/** So much goes into the log at once; it takes no more than a megabyte. */
const MAX_BYTES_AT_ONCE = 256 * 1024;
const MAX_AT_ONCE = 200;

/**
 * Puts contacts in the requester's address book, and answers under which id each is. Where the process ends on the way, the first of them are there: putting
 * them again changes nothing. Throws as `decideContacts`.
 */
export class PutContacts extends Command<readonly string[]> {
  constructor(
    readonly requester: Requester,
    readonly contacts: readonly NewContact[],
  ) {
    super();
  }
}

@CommandHandler(PutContacts)
export class PutContactsHandler implements ICommandHandler<PutContacts> {
  constructor(private readonly books: AddressBooks) {}

  async execute({ requester, contacts }: PutContacts): Promise<readonly string[]> {
    // All of them are refused before any is there.
    decideContacts((await this.books.look(requester.userId)).state, contacts, makeId);
    const ids: string[] = [];
    for (const some of inPieces(contacts)) {
      let decided: readonly string[] = [];
      await this.books.change(requester.userId, causeOf(requester), (book) => {
        const decision = decideContacts(book, some, makeId);
        decided = decision.ids;
        return decision.facts;
      });
      ids.push(...decided);
    }
    return ids;
  }
}

const makeId = (): string => randomBytes(12).toString('base64url');

function* inPieces(contacts: readonly NewContact[]): Generator<NewContact[], void> {
  let piece: NewContact[] = [];
  let bytes = 0;
  for (const each of contacts) {
    const size = bytesOf(each.contact);
    if (piece.length > 0 && (piece.length === MAX_AT_ONCE || bytes + size > MAX_BYTES_AT_ONCE)) {
      yield piece;
      [piece, bytes] = [[], 0];
    }
    piece.push(each);
    bytes += size;
  }
  if (piece.length > 0) yield piece;
}
