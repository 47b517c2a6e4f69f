import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { DeviceId, UserId } from '#kernel/ids';
import type { Cause } from '#event-store/aggregates';
import { Accounts } from '../accounts.js';
import { checkActive, checkNotLocked, decidePasswordChange } from '../decide/decide-account.js';
import { NewPasswords } from '../sessions/new-passwords.js';
import { WhosePassword } from '../sessions/whose-password.js';

export interface NewPassword {
  readonly password: string;
  /** Whether the user's sessions end, but for that of `keepDevice`. */
  readonly logoutDevices: boolean;
  readonly keepDevice?: DeviceId;
  /** It is an operator's will: also where another place keeps the user's. */
  readonly isOperators?: true;
}

/**
 * Sets a password: for the user themselves once they have shown who they are, or for an operator. Throws M_WEAK_PASSWORD,
 * M_INVALID_PARAM, M_NOT_FOUND, M_USER_DEACTIVATED; M_FORBIDDEN where no password counts here; to the user M_USER_LOCKED, also where a mail shows who
 * they are, and M_FORBIDDEN where theirs is not this server's.
 */
export class ChangePassword extends Command<void> {
  constructor(
    readonly userId: UserId,
    readonly change: NewPassword,
    readonly cause: Cause,
  ) {
    super();
  }
}

@CommandHandler(ChangePassword)
export class ChangePasswordHandler implements ICommandHandler<ChangePassword> {
  constructor(
    private readonly accounts: Accounts,
    private readonly passwords: NewPasswords,
    private readonly whose: WhosePassword,
  ) {}

  async execute({ userId, change, cause }: ChangePassword): Promise<void> {
    checkActive(await this.accounts.load(userId));
    const { password, logoutDevices, keepDevice, isOperators } = change;
    if (isOperators !== true) await this.whose.check(userId);
    const passwordHash = await this.passwords.hash(password);
    await this.accounts.change(
      userId,
      (account) => {
        if (isOperators !== true) checkNotLocked(account);
        return decidePasswordChange(account, { passwordHash, logoutDevices, keepDevice });
      },
      cause,
    );
  }
}
