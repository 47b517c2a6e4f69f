import { Injectable } from '@nestjs/common';
import type { Learnt } from '#accounts/interactive-auth/auth-sessions';
import { areTicked } from '#accounts/pages/terms-fields';
import { Terms, versionsOf } from '#accounts/terms/terms';
import { MailValidation } from '#accounts/threepids/mail-validation';
import { PhoneValidation } from '#accounts/threepids/phone-validation';
import type { Form } from '#http/browser/read-form';
import type { LimitedRequest } from '#http/rate-limits';
import { MatrixError } from '#kernel/matrix-error';
import { newSecret } from '../attempts/secrets.js';

/** What somebody has said on the page that asks whoever comes from elsewhere for what is missing. */
export interface Given extends Pick<Learnt, 'acceptedTerms' | 'threepid' | 'phone'> {
  /** The name that they chose. */
  readonly name?: string;
  /** A mail that was sent to them, by whose link they show that the address is theirs. */
  readonly mail?: { readonly email: string; readonly sid: string; readonly clientSecret: string };
  /** A message that was sent to their phone, by whose code they show that the number is. */
  readonly text?: { readonly number: string; readonly sid: string; readonly clientSecret: string };
}

/** What was said by then, and what was wrong with the last of it. */
export interface Answered {
  readonly given: Given;
  readonly problem?: string;
}

/** Takes what was sent by that page. */
@Injectable()
export class TakeAnswers {
  constructor(
    private readonly terms: Terms,
    private readonly validation: MailValidation,
    private readonly phones: PhoneValidation,
  ) {}

  async take(before: Given, form: Form, asker: LimitedRequest): Promise<Answered> {
    const name = form.get('name')?.trim();
    const ticked = this.terms.documents.filter((document) => areTicked([document], (field) => form.get(field)));
    const given: Given = {
      ...before,
      ...(name === undefined ? {} : { name }),
      ...(ticked.length === 0 ? {} : { acceptedTerms: { ...before.acceptedTerms, ...versionsOf(ticked) } }),
    };
    const first = await trying(given, () => this.#withMail(given, form.get('email')?.trim() ?? '', asker));
    const second = await trying(first.given, () => this.#withPhone(first.given, form, asker));
    return { ...first, ...second };
  }

  async #withMail(given: Given, email: string, asker: LimitedRequest): Promise<Given> {
    if (email !== '') {
      this.validation.checkAsker(asker);
      const clientSecret = newSecret();
      const sid = this.validation.begin({ purpose: 'registration', email, clientSecret, sendAttempt: 1 });
      return { ...given, mail: { email, sid, clientSecret } };
    }
    const { mail, ...others } = given;
    if (mail === undefined) return given;
    const shown = await this.validation.take('registration', mail.sid, mail.clientSecret);
    if (shown === undefined) throw new MatrixError('M_THREEPID_AUTH_FAILED', 'The link in the mail was not opened yet');
    return { ...others, threepid: { ...shown.threepid, validatedAt: shown.validatedAt } };
  }

  async #withPhone(given: Given, form: Form, asker: LimitedRequest): Promise<Given> {
    const [phone = '', country = ''] = [form.get('phone_number')?.trim(), form.get('country')?.trim()];
    if (phone !== '') {
      this.phones.checkAsker(asker);
      const clientSecret = newSecret();
      const asked = { purpose: 'registration', phone, country, clientSecret, sendAttempt: 1 } as const;
      return { ...given, text: { ...(await this.phones.begin(asked)), clientSecret } };
    }
    const { text, ...others } = given;
    const code = form.get('code')?.trim() ?? '';
    if (text === undefined || code === '') return given;
    await this.phones.submit(text, code);
    const shown = await this.phones.takeShown('registration', text);
    if (shown === undefined) throw new MatrixError('M_THREEPID_AUTH_FAILED', 'The code was used already');
    return { ...others, phone: { ...shown.threepid, validatedAt: shown.validatedAt } };
  }
}

/** What was given after a step, or as it was before where that is refused. */
async function trying(before: Given, step: () => Promise<Given>): Promise<Answered> {
  try {
    return { given: await step() };
  } catch (error) {
    if (!(error instanceof MatrixError) || error.status >= 500) throw error;
    return { given: before, problem: error.message };
  }
}
