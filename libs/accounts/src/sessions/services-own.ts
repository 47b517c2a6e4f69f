import type { AppService } from '#config/appservices/app-service';
import type { UserId } from '#kernel/ids';
import type { Account } from '../decide/account.js';

/**
 * Whether an account is a service's own, and not a person's as whom its registration lets it act too, nor another service's: that it made,
 * and to which nobody has a password, or what it is by itself. Where it was not noted who made it, and in what is kept for the service
 * alone, whose registration may have got another id since, any may have made it.
 */
export function isServicesOwn(service: AppService, userId: UserId, account: Account): boolean {
  if (userId === service.sender) return true;
  const { byService, serviceId, passwordHash } = account;
  if (!byService || passwordHash !== undefined) return false;
  return serviceId === undefined || serviceId === service.id || service.ownsUser(userId);
}
