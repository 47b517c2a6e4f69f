import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { AppService } from '#config/appservices/app-service';
import { AppServices } from '#config/appservices/app-services';
import type { DeviceId, UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { Accounts } from '../accounts.js';
import type { Account } from '../decide/account.js';
import { BeginSession, type LoggedIn } from '../sessions/begin-session.js';
import { isServicesOwn } from '../sessions/services-own.js';
import type { SessionOptions } from '../sessions/issue-tokens.js';

/**
 * Opens a session of one of an application service's users, who need no password (application service API, "Server admin style
 * permissions"). Of who is not its own it is noted whose session it is: that may do no more than the service by its own token, and ends with
 * its registration. Throws M_EXCLUSIVE for a user outside of its namespaces; M_FORBIDDEN where there is no such account, and of who is not its own
 * for an administrator and on a device that is there, unless by a session of the service; M_USER_DEACTIVATED; M_INVALID_PARAM as LogIn.
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
    private readonly sessions: BeginSession,
  ) {}

  async execute({ service, userId, options, requestId }: LogInForService): Promise<LoggedIn> {
    if (userId === undefined || !this.services.mayActAs(service.id, userId)) {
      throw new MatrixError('M_EXCLUSIVE', 'The user is outside of the namespaces of the application service');
    }
    if (!(await this.accounts.load(userId)).exists) throw new MatrixError('M_FORBIDDEN', 'No such user');
    const check = (account: Account, deviceId: DeviceId): void => {
      if (isServicesOwn(service, userId, account)) return;
      if (account.admin) throw new MatrixError('M_FORBIDDEN', 'An administrator logs in by themself');
      // Whoever takes a device over ends its session, and gets the messages to it.
      const device = account.devices.get(deviceId);
      if (device !== undefined && device.service !== service.id)
        throw new MatrixError('M_FORBIDDEN', 'device_id: a device of this person has this ID');
    };
    const openedBy = (account: Account): string | undefined =>
      isServicesOwn(service, userId, account) ? undefined : service.id;
    return this.sessions.begin({ userId, options, check, service: openedBy, requestId });
  }
}
