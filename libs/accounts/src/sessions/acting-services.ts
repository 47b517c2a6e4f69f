import { Inject, Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { AppService } from '#config/appservices/app-service';
import { AppServices } from '#config/appservices/app-services';
import type { RecordedFact } from '#event-store/event-store';
import type { ServiceUsers } from '#http/service-users';
import { type DeviceId, localpartOf, type UserId } from '#kernel/ids';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { USER_STREAM_PREFIX, userIdOfStream } from '#kernel/user-stream';
import type { Listener } from '#projections/listener';
import { Accounts } from '../accounts.js';
import { RegisterAccount } from '../commands/register-account.js';
import type { Account } from '../decide/account.js';
import { ownRateLimit } from './own-rate-limit.js';
import { isServicesOwn } from './services-own.js';

/** Of a request that an application service makes on no device. */
const NO_DEVICE = '' as DeviceId;
/** So many accounts are known as whom services acted last. */
const CAPACITY = 10_000;

/**
 * As whom application services act: their sender, whose account begins when it is first needed, and the users of their namespaces, but for those
 * that are kept for another service. PERF: an account is read of the log once, and again when something is heard of it.
 */
@Injectable()
export class ActingServices implements ServiceUsers, Listener {
  readonly name = 'acting-services';
  readonly reads = [];
  readonly #known = new LruCache<UserId, Account>(CAPACITY);
  #heard = 0;

  constructor(
    private readonly accounts: Accounts,
    private readonly services: AppServices,
    @Inject(CommandBus) private readonly commands: CommandBus,
  ) {}

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#known.numbers;
  }

  hear(facts: readonly RecordedFact[]): void {
    for (const { stream } of facts) {
      if (!stream.startsWith(USER_STREAM_PREFIX)) continue;
      this.#known.delete(userIdOfStream(stream));
      this.#heard++;
    }
  }

  /** See ServiceUsers. */
  async requesterFor(service: AppService, userId: UserId, deviceId: DeviceId | undefined): Promise<Requester> {
    if (!this.services.mayActAs(service.id, userId)) {
      throw new MatrixError('M_FORBIDDEN', 'The application service may not act as this user');
    }
    const account = await this.#getAccount(service, userId, deviceId);
    const { deactivated, devices, admin, guest, locked, suspended, rateLimit } = account;
    if (deactivated) throw new MatrixError('M_USER_DEACTIVATED');
    if (deviceId !== undefined && !devices.has(deviceId)) throw new MatrixError('M_UNKNOWN_DEVICE');
    const isOwn = isServicesOwn(service, userId, account);
    if (deviceId !== undefined && !isOwn) {
      throw new MatrixError('M_FORBIDDEN', 'The application service may not act on the devices of a person');
    }
    return {
      userId,
      deviceId: deviceId ?? NO_DEVICE,
      // What an administrator may they may themself, and not who speaks for them.
      isAdmin: admin && isOwn,
      isGuest: guest,
      isLocked: locked,
      isSuspended: suspended,
      rateLimit: ownRateLimit(rateLimit),
      appServiceId: service.id,
      isServicesOwn: isOwn,
      requestId: '',
    };
  }

  async #getAccount(service: AppService, userId: UserId, deviceId: DeviceId | undefined): Promise<Account> {
    const known = this.#known.get(userId);
    // Of a device that is new nothing may have been heard yet.
    if (known !== undefined && (deviceId === undefined || known.devices.has(deviceId))) return known;
    const account = await this.#load(userId);
    if (account.exists) return account;
    if (userId !== service.sender) {
      throw new MatrixError('M_FORBIDDEN', 'The application service has not registered this user');
    }
    const sender = { username: localpartOf(userId), via: 'application-service', service } as const;
    await this.commands.execute(new RegisterAccount(sender)).catch((error: unknown) => {
      // Two first requests come at once.
      if (!(error instanceof MatrixError) || error.errcode !== 'M_USER_IN_USE') throw error;
    });
    return this.#load(userId);
  }

  async #load(userId: UserId): Promise<Account> {
    const before = this.#heard;
    const account = await this.accounts.load(userId);
    // A fact may have come in meanwhile: then the next request reads it again.
    if (account.exists && before === this.#heard) this.#known.set(userId, account);
    return account;
  }
}
