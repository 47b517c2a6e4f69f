import { Inject, Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { Accounts } from '#accounts/accounts';
import { AddThreepid } from '#accounts/commands/add-threepid';
import { RegisterAccount } from '#accounts/commands/register-account';
import { ExternalIds } from '#accounts/external-ids';
import { RegistrationRules } from '#accounts/registration-rules';
import { findThreepid } from '#accounts/threepids/threepid';
import { findLocalUserId, newUserId } from '#accounts/user-ids';
import { CONFIG, type Config } from '#config/config';
import type { AccountRules } from '#config/sso/account-rules';
import type { UpstreamProvider } from '#config/sso/upstream-provider';
import type { Cause } from '#event-store/aggregates';
import { CLOCK, type Clock } from '#kernel/clock';
import type { UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { Outsider } from './outsider.js';

/** How an outsider becomes somebody here. */
export interface Admission {
  readonly rules: AccountRules;
  readonly userName: UpstreamProvider['userName'];
  /** The name that they chose on the page that asked for it; and that which a client wishes for them. */
  readonly chosen?: string;
  readonly wished?: string;
  /** Nobody else will do, and none is made. */
  readonly mustBe?: UserId;
  /** They want an account that they do not have yet: one that is theirs already is refused (M_USER_IN_USE). */
  readonly isRegistration?: boolean;
  /** The registration token that pays for it, where one must. */
  readonly registrationToken?: string;
  readonly requestId: string | undefined;
}

/** Who an outsider is here; or that they have to choose a name, with the one that is proposed, and why that which they chose is none. */
export type Admitted =
  | { readonly userId: UserId; readonly isNew: boolean }
  | { readonly userId?: undefined; readonly proposed: string; readonly problem?: string };

/** Whose account somebody comes to who has shown who they are elsewhere; where they have none it is made. */
@Injectable()
export class AdmitOutsider {
  constructor(
    private readonly accounts: Accounts,
    private readonly externalIds: ExternalIds,
    private readonly commands: CommandBus,
    private readonly registration: RegistrationRules,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /**
   * Throws M_USER_DEACTIVATED; M_FORBIDDEN where none is made, or it is another's here than it must be; M_USER_IN_USE where the name that
   * is given is taken and no other may be chosen; M_LIMIT_EXCEEDED while it is being made for somebody who was faster.
   */
  async admit(outsider: Outsider, admission: Admission): Promise<Admitted> {
    const known = await this.externalIds.find(outsider.id);
    if (known !== undefined) return this.#comesBack(known, admission);
    const linked = await this.#linkExisting(outsider, admission);
    if (linked !== undefined) return this.#comesBack(linked, admission);
    const { userName, rules, mustBe, chosen = userName === 'given' ? undefined : admission.wished } = admission;
    if (!rules.makesAccounts || mustBe !== undefined)
      throw new MatrixError('M_FORBIDDEN', 'You have no account on this server');
    const proposed = outsider.userName ?? '';
    if (chosen === undefined && (userName === 'ask' || (userName === 'ask_if_taken' && proposed === '')))
      return { proposed };
    const name = userName === 'given' ? proposed : (chosen ?? proposed);
    if (name === '') throw new MatrixError('M_FORBIDDEN', 'The identity provider gives you no user name');
    try {
      return { userId: await this.#make(outsider, name, admission), isNew: true };
    } catch (error) {
      const isOfName = error instanceof MatrixError && OF_NAMES.has(error.errcode);
      if (!isOfName || userName === 'given') throw error;
      return { proposed: chosen ?? proposed, ...(chosen === undefined ? {} : { problem: error.message }) };
    }
  }

  async #comesBack(userId: UserId, { isRegistration, mustBe = userId }: Admission): Promise<Admitted> {
    if (userId !== mustBe) throw new MatrixError('M_FORBIDDEN', 'You have shown that you are somebody else');
    if ((await this.accounts.load(userId)).deactivated) throw new MatrixError('M_USER_DEACTIVATED');
    if (isRegistration === true) throw new MatrixError('M_USER_IN_USE', 'You have an account here already');
    return { userId, isNew: false };
  }

  /** Where the operator says that who has a name elsewhere has it here too. */
  async #linkExisting(
    { id, userName }: Outsider,
    { rules, mustBe, requestId }: Admission,
  ): Promise<UserId | undefined> {
    if (!rules.linksExisting || userName === undefined) return undefined;
    const userId = findLocalUserId(`@${userName}:${this.config.serverName}`, this.config.serverName);
    if (userId === undefined || (mustBe !== undefined && userId !== mustBe)) return undefined;
    const account = await this.accounts.load(userId);
    if (!account.exists || account.guest || account.byService || account.deactivated) return undefined;
    await this.externalIds.link(id, userId, causeOf(userId, requestId));
    return userId;
  }

  async #make({ id, displayName, email }: Outsider, username: string, admission: Admission): Promise<UserId> {
    const { registrationToken, requestId } = admission;
    // Before the claim: one that comes to nothing would have them wait.
    await this.registration.checkFree(username);
    const userId = newUserId(username, this.config.serverName);
    await this.externalIds.claim(id, userId, causeOf(userId, requestId));
    const paidBy = { externalId: id, registrationToken };
    const account = { username, via: 'external-id', displayname: displayName, ...paidBy, requestId } as const;
    try {
      await this.commands.execute(new RegisterAccount(account));
      await this.#addMail(userId, email, requestId);
      return userId;
    } catch (error) {
      // Two of their own log-ins at once: the other one has made it.
      if (error instanceof MatrixError && (await this.externalIds.find(id)) === userId) return userId;
      throw error;
    }
  }

  /** The provider has seen to it that it is theirs. That it is somebody else's here keeps nobody out. */
  async #addMail(userId: UserId, email: string | undefined, requestId: string | undefined): Promise<void> {
    const threepid = email === undefined ? undefined : findThreepid('email', email);
    if (threepid === undefined) return;
    try {
      await this.commands.execute(new AddThreepid(userId, threepid, this.clock.now(), causeOf(userId, requestId)));
    } catch (error) {
      if (!(error instanceof MatrixError)) throw error;
    }
  }
}

/** What is said against a name. */
export const OF_NAMES: ReadonlySet<string> = new Set(['M_USER_IN_USE', 'M_INVALID_USERNAME', 'M_EXCLUSIVE']);

function causeOf(userId: UserId, requestId: string | undefined): Cause {
  return { actor: userId, correlation: requestId };
}
