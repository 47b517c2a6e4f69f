import type { AppService } from '#config/appservices/app-service';
import type { DeviceId, UserId } from '#kernel/ids';
import type { Requester } from '#kernel/requester';

/** As whom application services act. Named after its caller, the guard of the doors; the accounts implement it. */
export interface ServiceUsers {
  /**
   * The requester that a service is as one of its users (the guard fills in `requestId` itself). Throws M_FORBIDDEN for a user who is not
   * its own, or has no account; M_USER_DEACTIVATED; M_UNKNOWN_DEVICE.
   */
  requesterFor(service: AppService, userId: UserId, deviceId: DeviceId | undefined): Promise<Requester>;
}

/** Injection token of the ServiceUsers: a global provider. */
export const SERVICE_USERS = Symbol.for('annals.ServiceUsers');
