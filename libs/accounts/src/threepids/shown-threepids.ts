import { Inject, Injectable, Optional } from '@nestjs/common';
import type { UserId } from '#kernel/ids';
import { MailValidation, type Validated } from './mail-validation.js';
import { PhoneValidation } from './phone-validation.js';
import type { Medium } from './threepid.js';
import type { ThreepidCredentials } from './threepid-credentials.js';
import { VALIDATED_ELSEWHERE, type ValidatedElsewhere } from './validated-elsewhere.js';
import type { ValidationPurpose } from './validation-links.js';

/**
 * For what somebody must have shown an address to this server itself: who shows one to an identity server is asked whether they want to be found by it, and not
 * whether somebody may choose a new password.
 */
const HERE_ALONE: ReadonlySet<ValidationPurpose> = new Set(['recovery']);

/** Addresses and numbers that were shown to be somebody's: to this server, or to an identity server that is believed. */
@Injectable()
export class ShownThreepids {
  constructor(
    private readonly mails: MailValidation,
    private readonly phones: PhoneValidation,
    @Optional() @Inject(VALIDATED_ELSEWHERE) private readonly elsewhere?: ValidatedElsewhere,
  ) {}

  /** Whether there are identity servers that are believed. */
  get areShownElsewhere(): boolean {
    return this.elsewhere?.isOffered === true;
  }

  /**
   * What was shown, of a medium where one is named, and uses it up: of two that try at once one is answered. `by`: as in `ValidatedElsewhere.take`. Undefined where nothing was. Clients name an identity
   * server also where this server has sent the mail, so that is looked at first.
   */
  async take(
    purpose: ValidationPurpose,
    credentials: ThreepidCredentials,
    by: UserId | null,
    medium?: Medium,
  ): Promise<Validated | undefined> {
    const { sid, clientSecret, idServer } = credentials;
    const byMail = medium === 'msisdn' ? undefined : await this.mails.take(purpose, sid, clientSecret);
    if (byMail !== undefined) return byMail;
    const byPhone = medium === 'email' ? undefined : await this.phones.takeShown(purpose, { sid, clientSecret });
    if (byPhone !== undefined || idServer === undefined || HERE_ALONE.has(purpose)) return byPhone;
    return this.elsewhere?.take(credentials, by, medium);
  }
}
