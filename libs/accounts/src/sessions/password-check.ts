import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import type { UserId } from '#kernel/ids';
import { RateLimits } from '#http/rate-limits';
import { type JsonObject, isJsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { Accounts } from '../accounts.js';
import { PasswordHasher } from '../credentials/password-hasher.js';
import { findLocalUserId } from '../user-ids.js';

/** Who somebody says to be, and the password that is to show it. */
export interface PasswordClaim {
  /** The account; undefined where no account of this server is meant. */
  readonly userId: UserId | undefined;
  readonly password: string;
}

/** Reads `m.login.password` out of a login or an `auth` object, in today's form and in those before it. */
@Injectable()
export class PasswordCheck {
  constructor(
    private readonly accounts: Accounts,
    private readonly hasher: PasswordHasher,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
    private readonly limits: RateLimits,
  ) {}

  /**
   * The claim in `identifier` (type `m.id.user`) or, as older clients send it, in `user`. Third-party identifiers name no
   * account here. Throws M_MISSING_PARAM, M_BAD_JSON, and M_UNKNOWN (400) for an unknown type of identifier.
   */
  parseClaim(body: JsonObject): PasswordClaim {
    const password = body['password'];
    if (password === undefined) throw new MatrixError('M_MISSING_PARAM', 'password: required');
    if (typeof password !== 'string') throw new MatrixError('M_BAD_JSON', 'password: must be a string');
    return { userId: this.parseUser(body), password };
  }

  /** The account alone that a login names, as `parseClaim`. */
  parseUser(body: JsonObject): UserId | undefined {
    const user = this.#userOf(body);
    return user === undefined ? undefined : findLocalUserId(user, this.config.serverName);
  }

  /** Whether there is a password by which this account could be verified. */
  async isFor(userId: UserId): Promise<boolean> {
    return (await this.accounts.load(userId)).passwordHash !== undefined;
  }

  /**
   * The hash that the password was checked against; undefined where it is wrong or nobody can log in so. Throws M_LIMIT_EXCEEDED where
   * passwords of the account are guessed, from however many addresses, also where there is no such account.
   */
  async verify(claim: PasswordClaim): Promise<string | undefined> {
    // Counted before it is known to be wrong: many that come at once are as many guesses.
    if (claim.userId !== undefined) this.limits.check('password', claim.userId);
    const hash = await this.#verify(claim);
    if (claim.userId !== undefined && hash !== undefined) this.limits.giveBack('password', claim.userId);
    return hash;
  }

  async #verify(claim: PasswordClaim): Promise<string | undefined> {
    const account = claim.userId === undefined ? undefined : await this.accounts.load(claim.userId);
    const matches = await this.hasher.verify(account?.passwordHash, claim.password);
    return matches ? account?.passwordHash : undefined;
  }

  #userOf(body: JsonObject): string | undefined {
    const { identifier } = body;
    if (identifier === undefined) {
      if (typeof body['user'] === 'string') return body['user'];
      if (body['medium'] !== undefined || body['address'] !== undefined) return undefined;
      throw new MatrixError('M_MISSING_PARAM', 'identifier: required');
    }
    if (!isJsonObject(identifier)) throw new MatrixError('M_BAD_JSON', 'identifier: must be an object');
    const { type, user } = identifier;
    if (type === 'm.id.thirdparty' || type === 'm.id.phone') return undefined;
    if (type !== 'm.id.user') throw new MatrixError('M_UNKNOWN', 'Unknown type of identifier', { status: 400 });
    if (typeof user !== 'string') throw new MatrixError('M_MISSING_PARAM', 'identifier.user: required');
    return user;
  }
}
