import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { UpstreamProviders } from '#sso/upstream-providers';
import type { SignInContext } from '../pages/sign-in-page.js';

/** By what people sign in here, for the pages that offer it. */
@Injectable()
export class SignInWays {
  readonly context: Pick<SignInContext, 'serverName' | 'isOpen' | 'hasAddresses' | 'providers'>;

  constructor(
    @Inject(CONFIG) { serverName, registration, mail }: Pick<Config, 'serverName' | 'registration' | 'mail'>,
    { all }: UpstreamProviders,
  ) {
    const providers = all.map(({ id, name }) => ({ id, name }));
    this.context = Object.freeze({
      serverName,
      isOpen: registration !== 'closed',
      hasAddresses: mail !== undefined,
      providers,
    });
  }
}
