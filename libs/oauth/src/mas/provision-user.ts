import { Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { Accounts, causeOf } from '#accounts/accounts';
import { ProvideAccount } from '#accounts/commands/provide-account';
import { parseThreepid, type Threepid } from '#accounts/threepids/threepid';
import type { UserId } from '#kernel/ids';
import type { Requester } from '#kernel/requester';

/** What a user is to have; undefined: as it is. `null`: none. */
export interface Provisions {
  readonly displayname: string | null | undefined;
  readonly avatarUrl: string | null | undefined;
  readonly emails: readonly string[] | undefined;
  readonly isLocked: boolean | undefined;
}

/** Makes users for an authentication service, and has them be what it says of them. */
@Injectable()
export class ProvisionUser {
  constructor(
    private readonly accounts: Accounts,
    private readonly commands: CommandBus,
  ) {}

  /** Answers whether the user is new. Throws as `ProvideAccount`. */
  async provision(requester: Requester, { displayname, avatarUrl, emails, isLocked }: Provisions): Promise<boolean> {
    const { userId } = requester;
    const wanted = {
      displayname: displayname === null ? '' : displayname,
      avatarUrl: avatarUrl === null ? '' : avatarUrl,
      lockedByService: isLocked,
      threepids: emails === undefined ? undefined : await this.#withEmails(userId, emails),
    };
    return this.commands.execute(new ProvideAccount(userId, wanted, causeOf(requester)));
  }

  /** All identifiers of the user, with other mail addresses. */
  async #withEmails(userId: UserId, emails: readonly string[]): Promise<readonly Threepid[]> {
    const { threepids } = await this.accounts.load(userId);
    const others = [...threepids.values()].filter(({ medium }) => medium !== 'email');
    return [...others, ...emails.map((address) => parseThreepid('email', address))];
  }
}
