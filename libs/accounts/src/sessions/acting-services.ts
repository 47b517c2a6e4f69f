import { Inject, Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { AppService } from '#config/appservices/app-service';
import type { ServiceUsers } from '#http/service-users';
import { type DeviceId, localpartOf, type UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { Accounts } from '../accounts.js';
import { RegisterAccount } from '../commands/register-account.js';
import type { Account } from '../decide/account.js';

/** Of a request that an application service makes on no device. */
const NO_DEVICE = '' as DeviceId;

/** As whom application services act: their sender, whose account begins when it is first needed, and the users of their namespaces. */
@Injectable()
export class ActingServices implements ServiceUsers {
  constructor(
    private readonly accounts: Accounts,
    @Inject(CommandBus) private readonly commands: CommandBus,
  ) {}

  /** See ServiceUsers. */
  async requesterFor(service: AppService, userId: UserId, deviceId: DeviceId | undefined): Promise<Requester> {
    if (!service.hasUser(userId)) {
      throw new MatrixError('M_FORBIDDEN', 'The application service may not act as this user');
    }
    const { deactivated, devices, admin } = await this.#getAccount(service, userId);
    if (deactivated) throw new MatrixError('M_USER_DEACTIVATED');
    if (deviceId !== undefined && !devices.has(deviceId)) throw new MatrixError('M_UNKNOWN_DEVICE');
    return { userId, deviceId: deviceId ?? NO_DEVICE, isAdmin: admin, appServiceId: service.id, requestId: '' };
  }

  async #getAccount(service: AppService, userId: UserId): Promise<Account> {
    const account = await this.accounts.load(userId);
    if (account.exists) return account;
    if (userId !== service.sender) {
      throw new MatrixError('M_FORBIDDEN', 'The application service has not registered this user');
    }
    const sender = { username: localpartOf(userId), via: 'application-service', service } as const;
    await this.commands.execute(new RegisterAccount(sender)).catch((error: unknown) => {
      // Two first requests come at once.
      if (!(error instanceof MatrixError) || error.errcode !== 'M_USER_IN_USE') throw error;
    });
    return this.accounts.load(userId);
  }
}
