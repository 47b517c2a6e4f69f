import { Inject, Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { Accounts, causeOf } from '#accounts/accounts';
import { AddThreepid } from '#accounts/commands/add-threepid';
import { ChangeProfile } from '#accounts/commands/change-profile';
import { RegisterAccount } from '#accounts/commands/register-account';
import { RemoveThreepid } from '#accounts/commands/remove-threepid';
import { parseThreepid, type Threepid, threepidKey } from '#accounts/threepids/threepid';
import { CLOCK, type Clock } from '#kernel/clock';
import { localpartOf, type UserId } from '#kernel/ids';
import type { Requester } from '#kernel/requester';

/** What a user is to have; undefined: as it is. `null`: none. */
export interface Provisions {
  readonly displayname: string | null | undefined;
  readonly avatarUrl: string | null | undefined;
  readonly emails: readonly string[] | undefined;
}

/** Makes users for an authentication service, and has them be what it says of them. */
@Injectable()
export class ProvisionUser {
  constructor(
    private readonly accounts: Accounts,
    private readonly commands: CommandBus,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** Answers whether the user is new. Throws as `RegisterAccount`, `ChangeProfile` and `AddThreepid`. */
  async provision(requester: Requester, { displayname, avatarUrl, emails }: Provisions): Promise<boolean> {
    const { userId } = requester;
    const isNew = !(await this.accounts.load(userId)).exists;
    if (isNew) {
      const account = { username: localpartOf(userId), via: 'operator', requestId: requester.requestId } as const;
      await this.commands.execute(new RegisterAccount(account));
    }
    await this.#set(requester, 'displayname', displayname);
    await this.#set(requester, 'avatar_url', avatarUrl);
    if (emails !== undefined) await this.#setEmails(requester, emails);
    return isNew;
  }

  async #set(requester: Requester, key: string, value: string | null | undefined): Promise<void> {
    if (value === undefined) return;
    await this.commands.execute(new ChangeProfile(requester, key, value ?? undefined));
  }

  async #setEmails(requester: Requester, emails: readonly string[]): Promise<void> {
    const { userId } = requester;
    const wanted = new Map(emails.map((address) => keyed(parseThreepid('email', address))));
    const cause = causeOf(requester);
    for (const threepid of await this.#emailsOf(userId)) {
      if (!wanted.delete(threepidKey(threepid))) {
        await this.commands.execute(new RemoveThreepid(userId, threepid, cause));
      }
    }
    for (const threepid of wanted.values()) {
      await this.commands.execute(new AddThreepid(userId, threepid, this.clock.now(), cause));
    }
  }

  async #emailsOf(userId: UserId): Promise<readonly Threepid[]> {
    const { threepids } = await this.accounts.load(userId);
    return [...threepids.values()].filter(({ medium }) => medium === 'email');
  }
}

const keyed = (threepid: Threepid): [string, Threepid] => [threepidKey(threepid), threepid];
