import { Inject, Injectable } from '@nestjs/common';
import { Accounts } from '#accounts/accounts';
import { Consents } from '#accounts/terms/consents';
import { Terms } from '#accounts/terms/terms';
import { CONFIG, type Config } from '#config/config';
import type { UserId } from '#kernel/ids';
import { UpstreamProviders } from '#sso/upstream-providers';
import type { SignInContext } from '../pages/sign-in-page.js';

/** By what people sign in here, for the pages that offer it. */
@Injectable()
export class SignInWays {
  readonly context: Pick<SignInContext, 'serverName' | 'isOpen' | 'hasAddresses' | 'providers'>;

  constructor(
    @Inject(CONFIG) { serverName, registration, mail }: Pick<Config, 'serverName' | 'registration' | 'mail'>,
    { all }: UpstreamProviders,
    private readonly accounts: Accounts,
    private readonly terms: Terms,
    private readonly consents: Consents,
  ) {
    const providers = all.map(({ id, name }) => ({ id, name }));
    this.context = Object.freeze({
      serverName,
      isOpen: registration !== 'closed',
      hasAddresses: mail !== undefined,
      providers,
    });
  }

  /** Where somebody who is signed in accepts terms that they have not accepted, and from where they come to the page `to`; undefined where there are none. */
  async findTerms(userId: UserId, to: string): Promise<string | undefined> {
    const { terms } = await this.accounts.load(userId);
    return this.terms.missing(terms).length === 0 ? undefined : this.consents.urlOf({ userId, goesOnTo: to });
  }
}
