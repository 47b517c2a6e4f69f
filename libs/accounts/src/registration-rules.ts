import { Inject, Injectable } from '@nestjs/common';
import { AppServices } from '#config/appservices/app-services';
import { CONFIG, type Config } from '#config/config';
import type { TermsDocument } from '#config/terms/read-terms';
import { MatrixError } from '#kernel/matrix-error';
import { Accounts } from './accounts.js';
import { checkPassword } from './credentials/password-hasher.js';
import { newUserId } from './user-ids.js';
import type { RegisteredVia } from './facts/account-facts.js';
import { type AcceptedTerms, Terms } from './terms/terms.js';
import type { Threepid } from './threepids/threepid.js';
import { ThreepidClaims } from './threepids/threepid-claims.js';
import { type Flow, Flows } from './interactive-auth/flows.js';
import type { Dialect } from './interactive-auth/stage.js';

/** What somebody has shown who is to have an account. */
export interface ShownForAccount {
  readonly acceptedTerms?: AcceptedTerms;
  /** An address that is theirs. */
  readonly threepid?: Threepid;
  /** A phone number that is. */
  readonly phone?: Threepid;
}

/** What somebody has not shown: documents to be accepted, a mail address, and a phone number. */
export interface Missing {
  readonly terms: readonly TermsDocument[];
  readonly email: boolean;
  readonly phone: boolean;
}

/** Who may register here, by the setting ANNALS_REGISTRATION. */
@Injectable()
export class RegistrationRules {
  constructor(
    @Inject(CONFIG)
    private readonly config: Pick<
      Config,
      'registration' | 'registrationEmail' | 'registrationPhone' | 'mail' | 'serverName' | 'notices'
    >,
    private readonly accounts: Accounts,
    private readonly services: AppServices,
    private readonly flows: Flows,
    private readonly terms: Terms,
    private readonly addresses: ThreepidClaims,
  ) {}

  /** The flows of interactive authentication. Throws M_FORBIDDEN where registration is closed. */
  getFlows(dialect: Dialect = 'today'): readonly Flow[] {
    this.getMode();
    return this.flows.toRegister(dialect);
  }

  /** Whether everybody may register, or who has a token. Throws M_FORBIDDEN where nobody may. */
  getMode(): 'open' | 'token' {
    if (this.config.registration === 'closed') throw new MatrixError('M_FORBIDDEN', 'Registration is closed');
    return this.config.registration;
  }

  /** Guests are welcome where everybody may register. Throws M_FORBIDDEN elsewhere. */
  checkGuestsWelcome(): void {
    if (this.config.registration !== 'open') throw new MatrixError('M_FORBIDDEN', 'There are no guest accounts here');
  }

  /** How accounts come to be in this mode. */
  get via(): RegisteredVia {
    return this.config.registration === 'open' ? 'open' : 'registration-token';
  }

  /** Whether every account has a mail address that was shown to be its owner's. */
  get isMailRequired(): boolean {
    return this.config.registrationEmail === 'required' && this.config.mail !== undefined;
  }

  /** The same of a phone number: then this server sends messages to phones, which is checked of the settings. */
  get isPhoneRequired(): boolean {
    return this.config.registrationPhone === 'required';
  }

  /** What is required of who registers, and was not shown by who gets an account without going through the stages of that. */
  async missing({ acceptedTerms, threepid, phone }: ShownForAccount): Promise<Missing> {
    return {
      terms: this.terms.missing(acceptedTerms),
      email: this.isMailRequired && !(await this.#isFree(threepid)),
      phone: this.isPhoneRequired && !(await this.#isFree(phone)),
    };
  }

  async #isFree(shown: Threepid | undefined): Promise<boolean> {
    return shown !== undefined && (await this.addresses.findOwner(shown)) === undefined;
  }

  /** What is known to be wrong with what somebody wants, before they spend on it what they went through stages for. Throws as `checkFree` and `checkPassword`. */
  async checkWanted(username: string | undefined, password: string | undefined): Promise<void> {
    if (password !== undefined) checkPassword(password);
    if (username !== undefined) await this.checkFree(username);
  }

  /** Throws M_INVALID_USERNAME, M_EXCLUSIVE or M_USER_IN_USE where no account could be made under the user name. */
  async checkFree(username: string): Promise<void> {
    const userId = newUserId(username, this.config.serverName);
    if (userId === this.config.notices?.userId || this.services.isUserReserved(userId))
      throw new MatrixError('M_EXCLUSIVE');
    if ((await this.accounts.load(userId)).exists) throw new MatrixError('M_USER_IN_USE');
  }
}
