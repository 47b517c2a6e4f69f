import { Inject, Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { Accounts } from '#accounts/accounts';
import { AcceptTerms } from '#accounts/commands/accept-terms';
import { AddThreepid } from '#accounts/commands/add-threepid';
import { RegisterAccount } from '#accounts/commands/register-account';
import { ExternalIds } from '#accounts/external-ids';
import { type Missing, RegistrationRules } from '#accounts/registration-rules';
import { findThreepid } from '#accounts/threepids/threepid';
import { findLocalUserId, newUserId } from '#accounts/user-ids';
import { CONFIG, type Config } from '#config/config';
import type { AccountRules } from '#config/sso/account-rules';
import type { UpstreamProvider } from '#config/sso/upstream-provider';
import type { Cause } from '#event-store/aggregates';
import { CLOCK, type Clock } from '#kernel/clock';
import type { UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { Given } from './given.js';
import type { Outsider } from './outsider.js';

/** How an outsider becomes somebody here. */
export interface Admission {
  readonly rules: AccountRules;
  readonly userName: UpstreamProvider['userName'];
  /** What they have said on the page that asks for it; undefined where there is no such page: then nothing is asked. */
  readonly given?: Given;
  /** The name that a client wishes for them: proposed to them where they may choose, as it may be a client of somebody else. */
  readonly wished?: string;
  /** Nobody else will do, and none is made. */
  readonly mustBe?: UserId;
  /** They want an account that they do not have yet: one that is theirs already is refused (M_USER_IN_USE). */
  readonly isRegistration?: boolean;
  /** The registration token that pays for it, where one must. */
  readonly registrationToken?: string;
  readonly requestId: string | undefined;
}

/** What they have to say before: a name where one is proposed, with why that which they chose is none, and what is missing besides. */
export interface Asked extends Missing {
  readonly proposed?: string;
  readonly problem?: string;
}

/** Who an outsider is here; or what they are asked before. */
export type Admitted =
  | { readonly userId: UserId; readonly isNew: boolean }
  | { readonly userId?: undefined; readonly asks: Asked };

const NOTHING_MISSING: Missing = Object.freeze({ terms: [], email: false, phone: false });

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
   * Throws M_USER_DEACTIVATED; M_FORBIDDEN where none is made, it is another's here than it must be, or something is missing and nobody can be asked;
   * M_USER_IN_USE where the name that is given is taken and no other may be chosen; M_LIMIT_EXCEEDED while it is being made for somebody who was faster.
   */
  async admit(outsider: Outsider, admission: Admission): Promise<Admitted> {
    const known = (await this.externalIds.find(outsider.id)) ?? (await this.#linkExisting(outsider, admission));
    if (known !== undefined) return this.#comesBack(known, admission);
    if (!admission.rules.makesAccounts || admission.mustBe !== undefined)
      throw new MatrixError('M_FORBIDDEN', 'You have no account on this server');
    return this.#comesFirst(outsider, admission);
  }

  async #comesBack(userId: UserId, admission: Admission): Promise<Admitted> {
    const { isRegistration, mustBe = userId, given, requestId } = admission;
    if (userId !== mustBe) throw new MatrixError('M_FORBIDDEN', 'You have shown that you are somebody else');
    const account = await this.accounts.load(userId);
    if (account.deactivated) throw new MatrixError('M_USER_DEACTIVATED');
    if (isRegistration === true) throw new MatrixError('M_USER_IN_USE', 'You have an account here already');
    if (given === undefined) return { userId, isNew: false };
    const { acceptedTerms } = given;
    const { terms } = await this.registration.missing({ acceptedTerms: { ...account.terms, ...acceptedTerms } });
    if (terms.length > 0) return { asks: { ...NOTHING_MISSING, terms } };
    if (acceptedTerms !== undefined)
      await this.commands.execute(new AcceptTerms(userId, acceptedTerms, causeOf(userId, requestId)));
    return { userId, isNew: false };
  }

  async #comesFirst(outsider: Outsider, admission: Admission): Promise<Admitted> {
    const { userName, given, wished } = admission;
    const mayChoose = userName !== 'given';
    const chosen = mayChoose ? given?.name : undefined;
    const proposed = (mayChoose ? wished : undefined) ?? outsider.userName ?? '';
    const isAsked = userName === 'ask' || wished !== undefined || proposed === '';
    const isToChoose = mayChoose && chosen === undefined && isAsked;
    const name = chosen ?? proposed;
    if (!isToChoose && name === '')
      throw new MatrixError('M_FORBIDDEN', 'The identity provider gives you no user name');
    if (userName === 'given') await this.registration.checkFree(name);
    const threepid = given?.threepid ?? findMailOf(outsider);
    const phone = given?.phone ?? findPhoneOf(outsider);
    const missing = await this.registration.missing({ acceptedTerms: given?.acceptedTerms, threepid, phone });
    if (given === undefined && missing.email)
      throw new MatrixError('M_FORBIDDEN', 'Accounts of this server have a mail address, and none is known of yours');
    if (given !== undefined && (isToChoose || isAny(missing)))
      return { asks: { ...missing, ...(isToChoose ? { proposed } : {}) } };
    try {
      return { userId: await this.#make(outsider, name, admission), isNew: true };
    } catch (error) {
      const isOfName = error instanceof MatrixError && OF_NAMES.has(error.errcode);
      if (!isOfName || userName === 'given') throw error;
      const problem = chosen === undefined ? {} : { problem: error.message };
      return { asks: { ...NOTHING_MISSING, proposed: name, ...problem } };
    }
  }

  /** Where the operator says that who has a name elsewhere has it here too. */
  async #linkExisting(
    { id, userName }: Outsider,
    { rules, mustBe, requestId }: Admission,
  ): Promise<UserId | undefined> {
    if (!rules.linksExisting || userName === undefined) return undefined;
    const userId = findLocalUserId(`@${userName}:${this.config.serverName}`, this.config.serverName);
    if (userId === undefined || (mustBe !== undefined && userId !== mustBe)) return undefined;
    return (await this.externalIds.linkByName(id, userId, causeOf(userId, requestId))) ? userId : undefined;
  }

  async #make(outsider: Outsider, username: string, admission: Admission): Promise<UserId> {
    const { id, displayName } = outsider;
    const { registrationToken, given, requestId } = admission;
    // Before the claim: one that comes to nothing would have them wait.
    await this.registration.checkFree(username);
    const userId = newUserId(username, this.config.serverName);
    await this.externalIds.claim(id, userId, causeOf(userId, requestId));
    const validatedAt = this.clock.now();
    const [mail, phone] = [findMailOf(outsider), findPhoneOf(outsider)];
    const mailOfProvider = mail && { ...mail, validatedAt };
    const threepid = given?.threepid ?? (this.registration.isMailRequired ? mailOfProvider : undefined);
    const phoneOfProvider = phone && { ...phone, validatedAt };
    const number = given?.phone ?? (this.registration.isPhoneRequired ? phoneOfProvider : undefined);
    const shown = { externalId: id, registrationToken, acceptedTerms: given?.acceptedTerms, threepid, phone: number };
    const account = { username, via: 'external-id', displayname: displayName, ...shown, requestId } as const;
    try {
      await this.commands.execute(new RegisterAccount(account));
      if (threepid === undefined) await this.#addAddress(userId, mailOfProvider, requestId);
      if (number === undefined) await this.#addAddress(userId, phoneOfProvider, requestId);
      return userId;
    } catch (error) {
      // Two of their own log-ins at once: the other one has made it.
      if (error instanceof MatrixError && (await this.externalIds.find(id)) === userId) return userId;
      throw error;
    }
  }

  /** The provider has seen to it that it is theirs. That it is somebody else's here keeps nobody out. */
  async #addAddress(userId: UserId, shown: Given['threepid'], requestId: string | undefined): Promise<void> {
    if (shown === undefined) return;
    const { validatedAt, ...threepid } = shown;
    try {
      await this.commands.execute(new AddThreepid(userId, threepid, validatedAt, causeOf(userId, requestId)));
    } catch (error) {
      if (!(error instanceof MatrixError)) throw error;
    }
  }
}

const isAny = ({ terms, email, phone }: Missing): boolean => terms.length > 0 || email || phone;

/** What is said against a name. */
export const OF_NAMES: ReadonlySet<string> = new Set(['M_USER_IN_USE', 'M_INVALID_USERNAME', 'M_EXCLUSIVE']);

const findMailOf = ({ email }: Outsider): ReturnType<typeof findThreepid> =>
  email === undefined ? undefined : findThreepid('email', email);

/** Providers write it as people do (OpenID Connect Core, section 5.1: E.164 is recommended, `+1 (425) 555-1212` an example of it). */
function findPhoneOf({ phone }: Outsider): ReturnType<typeof findThreepid> {
  return phone?.startsWith('+') === true ? findThreepid('msisdn', phone.replaceAll(/[\s().-]/g, '')) : undefined;
}

function causeOf(userId: UserId, requestId: string | undefined): Cause {
  return { actor: userId, correlation: requestId };
}
