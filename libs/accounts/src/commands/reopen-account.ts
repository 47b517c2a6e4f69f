import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Cause } from '#event-store/aggregates';
import type { UserId } from '#kernel/ids';
import { Accounts } from '../accounts.js';
import { decideReopening } from '../decide/decide-account.js';
import { Reopening } from '../reopening.js';
import { NewPasswords } from '../sessions/new-passwords.js';

/**
 * Opens an account again that was closed. What had gone with it stays gone: sessions, rooms, addresses, the right to administer, and all that was its where it was erased. Without
 * a password nobody gets in by one. Answers whether it was closed. Throws M_FORBIDDEN where no password counts here, and as `decideReopening` and `Reopening.prepare`.
 */
export class ReopenAccount extends Command<boolean> {
  constructor(
    readonly userId: UserId,
    readonly password: string | undefined,
    readonly cause: Cause,
  ) {
    super();
  }
}

@CommandHandler(ReopenAccount)
export class ReopenAccountHandler implements ICommandHandler<ReopenAccount> {
  constructor(
    private readonly accounts: Accounts,
    private readonly passwords: NewPasswords,
    private readonly reopening: Reopening,
  ) {}

  async execute({ userId, password, cause }: ReopenAccount): Promise<boolean> {
    const known = await this.accounts.load(userId);
    if (decideReopening(known, known.closedAt).length === 0) return false;
    const passwordHash = password === undefined ? undefined : await this.passwords.hash(password);
    await this.reopening.prepare(userId, known);
    const decide = (account: typeof known) => decideReopening(account, known.closedAt, passwordHash);
    return (await this.accounts.change(userId, decide, cause)).changed;
  }
}
