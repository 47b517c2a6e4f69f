import { randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import type { UserId } from '#kernel/ids';
import { RateLimits } from '#http/rate-limits';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { Accounts } from '../accounts.js';
import { PasswordHasher } from '../credentials/password-hasher.js';
import { type Threepid, threepidKey } from '../threepids/threepid.js';
import { ThreepidClaims } from '../threepids/threepid-claims.js';
import { PasswordAuthorities, TooManyGuesses } from './password-authorities.js';
import { findLocalUserId } from '../user-ids.js';
import { findNamed } from './find-named.js';

/** Who somebody says to be, and the password that is to show it. */
export interface PasswordClaim {
  /** The account; undefined where no account of this server is meant. */
  readonly userId: UserId | undefined;
  /** As whom its guesses are counted, where not as that account: by the address that was typed, or the count would tell which account it is of. */
  readonly countedAs?: string;
  readonly password: string;
}

/** Whose password it was. */
export interface VerifiedPassword {
  readonly userId: UserId;
  /** The hash that it was checked against; undefined where somebody else knows it. */
  readonly passwordHash?: string;
}

/** Reads `m.login.password` out of a login or an `auth` object, in today's form and in those before it. */
@Injectable()
export class PasswordCheck {
  constructor(
    private readonly accounts: Accounts,
    private readonly hasher: PasswordHasher,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
    private readonly limits: RateLimits,
    private readonly addresses: ThreepidClaims,
    private readonly authorities: PasswordAuthorities,
  ) {}

  /**
   * The claim in `identifier` (`m.id.user`, `m.id.thirdparty`, `m.id.phone`) or, as older clients send it, in `user`, which may be a mail address,
   * or `medium` and `address`. Throws M_MISSING_PARAM, M_BAD_JSON, and M_UNKNOWN (400) for an unknown type of identifier.
   */
  async parseClaim(body: JsonObject): Promise<PasswordClaim> {
    const password = body['password'];
    if (password === undefined) throw new MatrixError('M_MISSING_PARAM', 'password: required');
    if (typeof password !== 'string') throw new MatrixError('M_BAD_JSON', 'password: must be a string');
    const named = await findNamed(body);
    const userId = await this.#find(named);
    return { userId, password, ...(typeof named === 'object' ? { countedAs: threepidKey(named) } : {}) };
  }

  /** The account alone that a login names, as `parseClaim`. */
  async parseUser(body: JsonObject): Promise<UserId | undefined> {
    return this.#find(await findNamed(body));
  }

  async #find(named: string | Threepid | undefined): Promise<UserId | undefined> {
    if (named === undefined) return undefined;
    return typeof named === 'string' ? findLocalUserId(named, this.config.serverName) : this.addresses.findOwner(named);
  }

  /** Whether there is a password by which this account could be verified. */
  async isFor(userId: UserId): Promise<boolean> {
    const { passwordHash } = await this.accounts.load(userId);
    return passwordHash !== undefined || (await this.authorities.areFor(userId));
  }

  /**
   * Whose password it is; undefined where it is wrong or nobody can log in so. Throws M_LIMIT_EXCEEDED where passwords of the account are
   * guessed, from however many addresses, also where there is no such account; and as `PasswordAuthority`.
   */
  async verify(claim: PasswordClaim): Promise<VerifiedPassword | undefined> {
    // Counted before it is known to be wrong: many that come at once are as many guesses.
    const countedAs = claim.countedAs ?? claim.userId;
    if (countedAs !== undefined) this.limits.check('password', countedAs);
    const giveBack = (): void => {
      if (countedAs !== undefined) this.limits.giveBack('password', countedAs);
    };
    const verified = await this.#verify(claim, (error) => {
      if (error instanceof MatrixError) giveBack();
      throw error;
    });
    if (verified !== undefined) giveBack();
    return verified;
  }

  /** `unseen`: hands on what was thrown where nobody has looked at the password. */
  async #verify(claim: PasswordClaim, unseen: (error: unknown) => never): Promise<VerifiedPassword | undefined> {
    const { userId, password } = claim;
    const account = userId === undefined ? undefined : await this.accounts.load(userId);
    const matches = await this.hasher.verify(account?.passwordHash, password).catch(unseen);
    if (userId !== undefined && matches) return { userId, passwordHash: account?.passwordHash };
    const asked = this.#askOthers(claim);
    // Where there is a hash it was a guess at that, whether or not the others can be asked; and of an address nobody is told whether there is one.
    const isLookedAt = account?.passwordHash !== undefined || claim.countedAs !== undefined;
    const theirs = await (isLookedAt ? asked : asked.catch(unseen));
    return theirs === undefined ? undefined : { userId: theirs };
  }

  /**
   * The others are asked of an address that is nobody's, too, by a name that nobody has: else how long it takes, or that they do not answer, would tell whether it is
   * somebody's. Nor is anybody told that passwords of whom it is of were guessed by another name.
   */
  async #askOthers({ userId, countedAs, password }: PasswordClaim): Promise<UserId | undefined> {
    if (countedAs === undefined) return userId && this.authorities.verify(userId, password);
    try {
      const theirs = await this.authorities.verify(userId ?? this.#nobody(), password);
      return userId && theirs;
    } catch (error) {
      if (error instanceof TooManyGuesses) return undefined;
      throw error;
    }
  }

  #nobody(): UserId {
    return `@${randomBytes(12).toString('hex')}:${this.config.serverName}` as UserId; // of these letters it is one
  }
}
