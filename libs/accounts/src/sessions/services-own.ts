import type { AppService } from '#config/appservices/app-service';
import type { UserId } from '#kernel/ids';
import type { Account } from '../decide/account.js';

/**
 * Whether an account is a service's own, and not a person's as whom its registration lets it act too: that it made, and to which nobody has a
 * password, or what it is by itself.
 */
export function isServicesOwn(service: AppService, userId: UserId, account: Account): boolean {
  return userId === service.sender || (account.byService && account.passwordHash === undefined);
}
