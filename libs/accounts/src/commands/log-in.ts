import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { ExpectedRevision } from '#event-store/event-store';
import { CLOCK, type Clock } from '#kernel/clock';
import type { DeviceId, UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { Accounts } from '../accounts.js';
import { decideLogin } from '../decide/decide-sessions.js';
import { type IssuedTokens, type SessionOptions, issueTokens } from '../sessions/issue-tokens.js';
import { PasswordCheck, type PasswordClaim } from '../sessions/password-check.js';
import { TAKEN_DEVICE_IDS, type TakenDeviceIds, withFreeDeviceId } from '../taken-device-ids.js';

export interface LoggedIn {
  readonly userId: UserId;
  readonly deviceId: DeviceId;
  readonly tokens: IssuedTokens;
}

/**
 * Opens a session by password. Throws M_FORBIDDEN where the account is unknown, gone, or the password wrong, all alike and
 * after the same time; M_INVALID_PARAM for a bad device id, or one that is the name of a key of theirs.
 */
export class LogIn extends Command<LoggedIn> {
  constructor(
    readonly claim: PasswordClaim,
    readonly options: SessionOptions,
    readonly requestId?: string,
  ) {
    super();
  }
}

@CommandHandler(LogIn)
export class LogInHandler implements ICommandHandler<LogIn> {
  constructor(
    private readonly accounts: Accounts,
    private readonly passwords: PasswordCheck,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(TAKEN_DEVICE_IDS) private readonly taken: TakenDeviceIds,
  ) {}

  async execute({ claim, options, requestId }: LogIn): Promise<LoggedIn> {
    const verified = await this.passwords.verify(claim);
    const { userId } = claim;
    if (verified === undefined || userId === undefined) throw wrongPassword();
    const { fact, deviceId, tokens } = issueTokens(options, this.clock.now());
    const change = (isAsSeen: (revision: ExpectedRevision) => void): Promise<unknown> =>
      this.accounts.change(
        userId,
        (account, revision) => {
          // The password may have been changed, or the account closed, while the old one was verified.
          if (account.passwordHash !== verified) throw wrongPassword();
          isAsSeen(revision);
          return decideLogin(account, fact);
        },
        { actor: userId, device: deviceId, correlation: requestId },
      );
    // What is made up here is the name of no key.
    if (options.deviceId === undefined) await change(() => {});
    else await withFreeDeviceId(this.taken, userId, deviceId, change);
    return { userId, deviceId, tokens };
  }
}

const wrongPassword = (): MatrixError => new MatrixError('M_FORBIDDEN', 'Unknown user or wrong password');
