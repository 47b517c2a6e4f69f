import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { AppService } from '#config/appservices/app-service';
import { AppServices } from '#config/appservices/app-services';
import type { ExpectedRevision } from '#event-store/event-store';
import { CLOCK, type Clock } from '#kernel/clock';
import type { UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { Accounts } from '../accounts.js';
import { decideLogin } from '../decide/decide-sessions.js';
import { type SessionOptions, issueTokens } from '../sessions/issue-tokens.js';
import { TAKEN_DEVICE_IDS, type TakenDeviceIds, withFreeDeviceId } from '../taken-device-ids.js';
import type { LoggedIn } from './log-in.js';

/**
 * Opens a session of one of an application service's users, who need no password (application service API, "Server admin style
 * permissions"). Throws M_EXCLUSIVE for a user outside of its namespaces; M_FORBIDDEN where there is no such account; M_USER_DEACTIVATED;
 * M_INVALID_PARAM as LogIn.
 */
export class LogInForService extends Command<LoggedIn> {
  constructor(
    readonly service: AppService,
    readonly userId: UserId | undefined,
    readonly options: SessionOptions,
    readonly requestId?: string,
  ) {
    super();
  }
}

@CommandHandler(LogInForService)
export class LogInForServiceHandler implements ICommandHandler<LogInForService> {
  constructor(
    private readonly accounts: Accounts,
    private readonly services: AppServices,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(TAKEN_DEVICE_IDS) private readonly taken: TakenDeviceIds,
  ) {}

  async execute({ service, userId, options, requestId }: LogInForService): Promise<LoggedIn> {
    if (userId === undefined || !service.hasUser(userId) || this.services.isUserReserved(userId, service.id)) {
      throw new MatrixError('M_EXCLUSIVE', 'The user is outside of the namespaces of the application service');
    }
    if (!(await this.accounts.load(userId)).exists) throw new MatrixError('M_FORBIDDEN', 'No such user');
    const { fact, deviceId, tokens } = issueTokens(options, this.clock.now());
    const change = (isAsSeen: (revision: ExpectedRevision) => void): Promise<unknown> =>
      this.accounts.change(
        userId,
        (account, revision) => {
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
