import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { AppService } from '#config/appservices/app-service';
import { AppServices } from '#config/appservices/app-services';
import { CONFIG, type Config } from '#config/config';
import { CLOCK, type Clock } from '#kernel/clock';
import type { DeviceId, UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { Accounts } from '../accounts.js';
import { PasswordHasher } from '../credentials/password-hasher.js';
import { decideRegistration, decideUpgrade } from '../decide/decide-account.js';
import { decideLink } from '../decide/decide-external-ids.js';
import { decideProfileChange } from '../decide/decide-profile.js';
import { NO_ACCOUNT } from '../decide/account.js';
import type { AccountFact, RegisteredVia } from '../facts/account-facts.js';
import type { ExternalId } from '../facts/external-id-facts.js';
import { RegistrationClaims } from '../registration-claims.js';
import type { Learnt } from '../interactive-auth/auth-sessions.js';
import type { LearntForAccount } from '../interactive-auth/learnt-for-account.js';
import { type IssuedTokens, type SessionOptions, issueTokens } from '../sessions/issue-tokens.js';
import { newUserId, randomUsername } from '../user-ids.js';

/** An account that is to be made, with what was learnt of who wants it. */
export interface NewAccount extends LearntForAccount {
  /** The basis of the user id; absent: one is made up. */
  readonly username?: string;
  readonly via: RegisteredVia;
  /** Absent: nobody can log in by password until one is set. */
  readonly password?: string;
  readonly admin?: boolean;
  readonly guest?: boolean;
  /** The user id is a guest's, who has proved it: the guest becomes a user. Needs a password. */
  readonly upgradesGuest?: boolean;
  readonly displayname?: string;
  /** The application service that registers one of its users. */
  readonly service?: AppService;
  /** The account elsewhere that it is made for, which was claimed for it: see `ExternalIds`. */
  readonly externalId?: ExternalId;
  /** Absent: no session is opened. */
  readonly session?: SessionOptions;
  readonly requestId?: string;
}

export interface RegisteredAccount {
  readonly userId: UserId;
  readonly session?: { readonly deviceId: DeviceId; readonly tokens: IssuedTokens };
}

/**
 * Makes an account, and opens its first session where one is asked for, in one write. Throws M_INVALID_USERNAME,
 * M_USER_IN_USE, M_WEAK_PASSWORD, M_INVALID_PARAM, M_THREEPID_IN_USE, M_EXCLUSIVE where the user id is kept for an application service, or the one that asks
 * may not have it, and M_FORBIDDEN for a registration token that is used up.
 */
export class RegisterAccount extends Command<RegisteredAccount> {
  constructor(readonly account: NewAccount) {
    super();
  }
}

@CommandHandler(RegisterAccount)
export class RegisterAccountHandler implements ICommandHandler<RegisterAccount> {
  constructor(
    private readonly accounts: Accounts,
    private readonly spent: RegistrationClaims,
    private readonly hasher: PasswordHasher,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName' | 'notices'>,
    private readonly services: AppServices,
  ) {}

  async execute({ account }: RegisterAccount): Promise<RegisteredAccount> {
    const { registrationToken, username = randomUsername() } = account;
    const userId = newUserId(username, this.config.serverName);
    this.#checkNamespaces(userId, account);
    // Before the costly hash: most refusals are this one.
    if (account.upgradesGuest !== true && (await this.accounts.load(userId)).exists) {
      throw new MatrixError('M_USER_IN_USE');
    }
    const passwordHash = account.password === undefined ? undefined : await this.hasher.hash(account.password);
    if (registrationToken === undefined) return this.#register(userId, account, passwordHash);
    await this.spent.tokens.use(registrationToken, userId);
    try {
      return await this.#register(userId, account, passwordHash);
    } catch (error) {
      // After any other error the account may be there; where it is not, the use is given back when it is wanted.
      if (error instanceof MatrixError) await this.spent.tokens.giveBack(registrationToken, userId);
      throw error;
    }
  }

  /** What the operator does is done. */
  #checkNamespaces(userId: UserId, { service, via }: NewAccount): void {
    if (service !== undefined && !service.hasUser(userId)) {
      throw new MatrixError('M_EXCLUSIVE', 'The user ID is outside of the namespaces of the application service');
    }
    if (via === 'operator') return;
    const isReserved = userId === this.config.notices?.userId || this.services.isUserReserved(userId, service?.id);
    if (isReserved) throw new MatrixError('M_EXCLUSIVE');
  }

  async #register(userId: UserId, account: NewAccount, passwordHash: string | undefined): Promise<RegisteredAccount> {
    const { via, admin, guest, displayname, upgradesGuest, acceptedTerms } = account;
    const now = this.clock.now();
    const service = account.service?.id;
    const session = account.session === undefined ? undefined : issueTokens(account.session, now);
    await this.spent.outside.change(
      userId,
      () => ({ threepids: addressesOf(account) }),
      (state): AccountFact[] => [
        ...(upgradesGuest === true && passwordHash !== undefined
          ? decideUpgrade(state, passwordHash)
          : decideRegistration(state, { userId, via, passwordHash, admin, guest, service })),
        ...(displayname === undefined
          ? []
          : decideProfileChange({ ...NO_ACCOUNT, exists: true }, 'displayname', displayname)),
        ...(account.externalId === undefined ? [] : decideLink({ ...NO_ACCOUNT, exists: true }, account.externalId)),
        ...(acceptedTerms === undefined
          ? []
          : [{ type: 'terms-accepted', data: { documents: acceptedTerms } } as const]),
        ...addressesOf(account).map((threepid) => addressAdded(threepid, now)),
        ...(session === undefined ? [] : [{ type: 'device-added', data: session.fact } as const]),
      ],
      { actor: userId, device: session?.deviceId, correlation: account.requestId },
    );
    if (session === undefined) return { userId };
    return { userId, session: { deviceId: session.deviceId, tokens: session.tokens } };
  }
}

function addressesOf({ threepid, phone }: NewAccount): NonNullable<Learnt['threepid']>[] {
  return [threepid, phone].filter((one) => one !== undefined);
}

function addressAdded({ medium, address, validatedAt }: NonNullable<Learnt['threepid']>, now: number): AccountFact {
  return { type: 'threepid-added', data: { medium, address, validated_at: validatedAt, added_at: now } };
}
