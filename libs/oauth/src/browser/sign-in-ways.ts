import { Inject, Injectable } from '@nestjs/common';
import { Accounts } from '#accounts/accounts';
import { PageProcess } from '#accounts/interactive-auth/page-process';
import { Consents } from '#accounts/terms/consents';
import { Terms } from '#accounts/terms/terms';
import { CONFIG, type Config } from '#config/config';
import type { HtmlPage } from '#http/pages/html-page';
import type { UserId } from '#kernel/ids';
import { UpstreamProviders } from '#sso/upstream-providers';
import { type SignInContext, signInPage } from '../pages/sign-in-page.js';
import type { Browser } from './browsers.js';

type Ways = Pick<SignInContext, 'serverName' | 'isOpen' | 'hasAddresses' | 'isByPassword' | 'ways' | 'providers'>;

/** By what people sign in here, for the pages that offer it. */
@Injectable()
export class SignInWays {
  constructor(
    @Inject(CONFIG)
    private readonly config: Pick<Config, 'serverName' | 'registration' | 'mail' | 'loginFlows'>,
    private readonly upstream: UpstreamProviders,
    private readonly accounts: Accounts,
    private readonly terms: Terms,
    private readonly consents: Consents,
    private readonly process: PageProcess,
  ) {}

  /** A password or an account elsewhere; where the operator has the ways to log in (`ANNALS_LOGIN_FLOWS`), those and no others. */
  get context(): Ways {
    const { serverName, registration, mail, loginFlows } = this.config;
    const isOpen = registration !== 'closed';
    const providers = this.isByProviders ? this.upstream.all.map(({ id, name }) => ({ id, name })) : [];
    const base = { serverName, isOpen, hasAddresses: mail !== undefined, providers };
    if (loginFlows === undefined) return { ...base, isByPassword: true, ways: [] };
    const ways = this.process
      .ownLogins()
      .map(({ name, stages }, number) => ({ number, name, isPassword: isPasswordAlone(stages) }));
    return {
      ...base,
      isByPassword: ways.some(({ isPassword }) => isPassword),
      ways: ways.filter(({ isPassword }) => !isPassword),
    };
  }

  /** The page on which somebody signs in, to go on to the page `to`; with what they typed before, and why it did not do. */
  page(browser: Browser, to: string, before: Pick<SignInContext, 'username' | 'problem'> = {}): HtmlPage {
    return signInPage({ ...this.context, browser, to, ...before });
  }

  /** Whether an account elsewhere is all that it takes. */
  get isByProviders(): boolean {
    return this.config.loginFlows === undefined || this.process.isBySso;
  }

  /** Where somebody who is signed in accepts terms that they have not accepted, and from where they come to the page `to`; undefined where there are none. */
  async findTerms(userId: UserId, to: string): Promise<string | undefined> {
    const { terms } = await this.accounts.load(userId);
    return this.terms.missing(terms).length === 0 ? undefined : this.consents.urlOf({ userId, goesOnTo: to });
  }
}

const isPasswordAlone = (stages: readonly string[]): boolean => stages.join('+') === 'm.login.password';
