import type { DeviceId, UserId } from './ids.js';

/** Who asks: an explicit argument of every command and query that depends on it. */
export interface Requester {
  readonly userId: UserId;
  readonly deviceId: DeviceId;
  readonly isAdmin: boolean;
  /** A guest account: only doors that welcome guests let it in. */
  readonly isGuest?: boolean;
  /** The application service that acts as this user; its device id is '' where it named none. */
  readonly appServiceId?: string;
  /** The id of the request, for logs and for the facts that it causes. */
  readonly requestId: string;
}
