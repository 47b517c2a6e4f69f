import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { causeOf } from '#accounts/accounts';
import { ACCOUNT_MEDIUM } from '#accounts/threepids/account-address';
import { type AskedServer, IdentityTokens } from '#identity/client/identity-tokens';
import { LookUpThreepids } from '#identity/client/look-up-threepids';
import type { ServerName, UserId } from '#kernel/ids';
import type { Requester } from '#kernel/requester';
import { awaitShown } from '#projections/await-shown';
import { VIEWS, type Views } from '#projections/views';
import { AddressBooks } from '../address-books.js';
import { decideMatches } from '../decide/decide-contacts.js';
import { keyOfAddress } from '../decide/known-book.js';
import type { Address, Match } from '../facts/contact-facts.js';
import { CONTACTS, type ContactRow } from '../projections/contacts.projector.js';

/** Whom an identity server knows by the addresses of a book. */
export interface LookedUp {
  readonly matches: readonly Match[];
  /** Not all addresses were asked for: there are too many. */
  readonly limited: boolean;
}

const MAX_ADDRESSES = 10_000;
/** So many go into the log at once, and not many more. */
const MAX_AT_ONCE = 500;

/**
 * Asks an identity server which users the requester's contacts are, by hashes of their addresses, and notes in the book what it knows; what it knew before and
 * does not know any more is forgotten. Throws as `LookUpThreepids`.
 */
export class LookUpContacts extends Command<LookedUp> {
  constructor(
    readonly requester: Requester,
    readonly asked: AskedServer,
  ) {
    super();
  }
}

@CommandHandler(LookUpContacts)
export class LookUpContactsHandler implements ICommandHandler<LookUpContacts> {
  constructor(
    private readonly books: AddressBooks,
    private readonly tokens: IdentityTokens,
    private readonly lookUp: LookUpThreepids,
    @Inject(VIEWS) private readonly views: Views,
  ) {}

  async execute({ requester, asked }: LookUpContacts): Promise<LookedUp> {
    const rows = await this.#listContacts(requester.userId);
    const addresses = new Map<string, Address>();
    for (const { contact } of rows.values()) {
      for (const { medium, address } of contact.threepids ?? []) {
        // Of accounts elsewhere identity servers know nothing.
        if (medium === ACCOUNT_MEDIUM) continue;
        addresses.set(keyOfAddress({ medium, address }), { medium, address });
      }
    }
    const some = [...addresses.values()].slice(0, MAX_ADDRESSES);
    const matches = await this.#ask(requester, asked, some);
    await this.#note(requester, asked.server, rows, matches);
    return { matches, limited: some.length < addresses.size };
  }

  async #listContacts(userId: UserId): Promise<ReadonlyMap<string, ContactRow>> {
    const { position } = await this.books.look(userId);
    await awaitShown(this.views, CONTACTS.name, position, 'the address book');
    const rows = new Map<string, ContactRow>();
    for await (const page of CONTACTS.pages(this.views, { prefix: [userId] }))
      for (const { key, value } of page) rows.set(key[1], value);
    await this.views.confirm();
    return rows;
  }

  async #ask(requester: Requester, asked: AskedServer, addresses: readonly Address[]): Promise<Match[]> {
    const { server } = asked;
    const found = await this.tokens.use(requester, asked, (token) => this.lookUp.run(server, token, addresses));
    return found.map(({ medium, address, userId }) => ({ medium, address, user_id: userId, by: server }));
  }

  /** Of each contact: what others know, and what this server does. */
  async #note(
    requester: Requester,
    server: ServerName,
    rows: ReadonlyMap<string, ContactRow>,
    matches: readonly Match[],
  ): Promise<void> {
    const known = new Map(matches.map((match) => [keyOfAddress(match), match]));
    let noted = new Map<string, readonly Match[]>();
    let many = 0;
    const write = async (): Promise<void> => {
      const some = noted;
      [noted, many] = [new Map(), 0];
      await this.books.change(requester.userId, causeOf(requester), (book) => decideMatches(book, some));
    };
    for (const [id, { contact, matches: before = [] }] of rows) {
      const own = (contact.threepids ?? []).flatMap((threepid) => known.get(keyOfAddress(threepid)) ?? []);
      const all = [...before.filter(({ by }) => by !== server), ...own];
      noted.set(id, all);
      many += all.length;
      if (many >= MAX_AT_ONCE || noted.size >= MAX_AT_ONCE) await write();
    }
    await write();
  }
}
