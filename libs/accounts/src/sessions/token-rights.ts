import { Injectable } from '@nestjs/common';
import { AppServices } from '#config/appservices/app-services';
import type { UserId } from '#kernel/ids';
import type { RateLimit } from '#kernel/rate-limit';
import type { Requester } from '#kernel/requester';
import type { DeviceRecord } from '../decide/device-tokens.js';
import { type AcceptedTerms } from '../terms/terms.js';
import { Consents } from '../terms/consents.js';
import { type HeldAccount, type Holder, holderOf } from './rights-of.js';

/** What tokens, and people without one, are good for by what is set here besides the account: registrations of application services, and terms. */
@Injectable()
export class TokenRights {
  constructor(
    private readonly services: AppServices,
    private readonly consents: Consents,
  ) {}

  /** A session that a service opened for a person lasts as long as its registration says that it may act as them. */
  isOpen({ userId, openedBy }: Pick<Requester, 'userId' | 'openedBy'>): boolean {
    return openedBy === undefined || this.services.mayActAs(openedBy, userId);
  }

  /** Whose token it is, by the account and its device as the views have them, or the log. What a service says for somebody it says as itself: it is asked for no terms. */
  holderOf(
    userId: UserId,
    account: HeldAccount & { readonly terms?: AcceptedTerms },
    device: DeviceRecord | undefined,
    rateLimit: RateLimit | undefined,
  ): Holder {
    const holder = holderOf(account, device, rateLimit);
    const consentUri = holder.openedBy === undefined ? this.consents.findLink(userId, account.terms) : undefined;
    return consentUri === undefined ? holder : { ...holder, consentUri };
  }

  /** What somebody may who comes with no token: at a page of this server, or by what they have scheduled. `service`: the one that says it for them, as of `holderOf`. */
  withoutToken(
    userId: UserId,
    { suspended = false, terms }: HeldAccount & { readonly terms?: AcceptedTerms },
    service?: string,
  ): Pick<Requester, 'isAdmin' | 'isSuspended' | 'consentUri'> {
    const consentUri = service === undefined ? this.consents.findLink(userId, terms) : undefined;
    return { isAdmin: false, isSuspended: suspended, ...(consentUri === undefined ? {} : { consentUri }) };
  }

  /** Whether what somebody does counts among what they may do in a time: not where a service does it for them whose requests do not. */
  isLimited(userId: UserId, service: string | undefined): boolean {
    return service === undefined || this.services.find(service)?.isLimitedAs(userId) !== false;
  }
}
