import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { AppService } from '#config/appservices/app-service';
import { AppServices } from '#config/appservices/app-services';
import type { UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { Accounts } from '../accounts.js';
import { BeginSession, type LoggedIn } from '../sessions/begin-session.js';
import { isServicesOwn } from '../sessions/services-own.js';
import type { SessionOptions } from '../sessions/issue-tokens.js';

/**
 * Opens a session of one of an application service's users, who need no password (application service API, "Server admin style
 * permissions"). Throws M_EXCLUSIVE for a user outside of its namespaces; M_FORBIDDEN where there is no such account, and for an administrator
 * who is not its own; M_USER_DEACTIVATED; M_INVALID_PARAM as LogIn.
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
    if (userId === undefined || !service.hasUser(userId) || this.services.isUserReserved(userId, service.id)) {
      throw new MatrixError('M_EXCLUSIVE', 'The user is outside of the namespaces of the application service');
    }
    const account = await this.accounts.load(userId);
    if (!account.exists) throw new MatrixError('M_FORBIDDEN', 'No such user');
    // Their session could do whatever they may, which who speaks for them may not.
    if (account.admin && !isServicesOwn(service, userId, account)) {
      throw new MatrixError('M_FORBIDDEN', 'An administrator logs in by themself');
    }
    return this.sessions.begin({ userId, options, requestId });
  }
}
