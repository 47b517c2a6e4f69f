import type { CommandBus } from '@nestjs/cqrs';
import type { ServerName, UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { BY_SERVER } from '../accounts.js';
import { ChangePassword } from '../commands/change-password.js';
import { DeactivateAccount } from '../commands/deactivate-account.js';
import { OverrideRateLimit } from '../commands/override-rate-limit.js';
import { RegisterAccount } from '../commands/register-account.js';
import { ReopenAccount } from '../commands/reopen-account.js';
import { RestrictAccount } from '../commands/restrict-account.js';
import { SetAdmin } from '../commands/set-admin.js';
import type { RateLimitOverridden, Restriction } from '../facts/account-facts.js';
import { findLocalUserId } from '../user-ids.js';

/**
 * What the operator of the server does to its users, through the same commands as everybody. Users are named by their user
 * id or its localpart; the user id is answered. Throws what the commands throw, and M_INVALID_PARAM for somebody else's user.
 */
export class UserAdministration {
  constructor(
    private readonly commands: Pick<CommandBus, 'execute'>,
    private readonly serverName: ServerName,
  ) {}

  /** A new account. It has no session yet. */
  async create(name: string, password: string, admin: boolean): Promise<UserId> {
    const username = name.startsWith('@') ? this.#localpartOf(name) : name;
    const account = { username, via: 'operator', password, admin } as const;
    return (await this.commands.execute(new RegisterAccount(account))).userId;
  }

  /** A new password. The user's sessions end, unless they are kept. */
  async resetPassword(name: string, password: string, keepSessions: boolean): Promise<UserId> {
    const userId = this.#userIdOf(name);
    const change = { password, logoutDevices: !keepSessions, isOperators: true } as const;
    await this.commands.execute(new ChangePassword(userId, change, BY_SERVER));
    return userId;
  }

  /** Ends the account, until it is opened again. */
  async deactivate(name: string, erase: boolean): Promise<UserId> {
    const userId = this.#userIdOf(name);
    await this.commands.execute(new DeactivateAccount(userId, erase, BY_SERVER));
    return userId;
  }

  /** Opens an account again, to who knows the password where one is given. Answers also whether it was closed. */
  async reopen(
    name: string,
    password: string | undefined,
  ): Promise<{ readonly userId: UserId; readonly wasClosed: boolean }> {
    const userId = this.#userIdOf(name);
    return { userId, wasClosed: await this.commands.execute(new ReopenAccount(userId, password, BY_SERVER)) };
  }

  /** Gives or takes the right to administer the server. */
  async setAdmin(name: string, admin: boolean): Promise<UserId> {
    const userId = this.#userIdOf(name);
    await this.commands.execute(new SetAdmin(userId, admin, BY_SERVER));
    return userId;
  }

  /** Locks or suspends an account, or lifts that. Also an administrator's. */
  async restrict(name: string, restriction: Restriction, isOn: boolean): Promise<UserId> {
    const userId = this.#userIdOf(name);
    await this.commands.execute(new RestrictAccount(userId, restriction, isOn, BY_SERVER, true));
    return userId;
  }

  /** Sets how much the user may ask for; undefined: as much as everybody. */
  async setRateLimit(name: string, limit: RateLimitOverridden | undefined): Promise<UserId> {
    const userId = this.#userIdOf(name);
    await this.commands.execute(new OverrideRateLimit(userId, limit, BY_SERVER));
    return userId;
  }

  #localpartOf(name: string): string {
    const colon = name.indexOf(':');
    if (colon < 0 || name.slice(colon + 1) !== this.serverName) throw this.#foreign(name);
    return name.slice(1, colon);
  }

  #userIdOf(name: string): UserId {
    const userId = findLocalUserId(name, this.serverName);
    if (userId === undefined) throw this.#foreign(name);
    return userId;
  }

  #foreign(name: string): MatrixError {
    return new MatrixError('M_INVALID_PARAM', `${name} is not a user of ${this.serverName}`);
  }
}
