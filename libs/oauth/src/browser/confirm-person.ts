import { Inject, Injectable } from '@nestjs/common';
import { openText, sealText } from '#protocol/signing/sealed-text';
import { hashSecret } from '#accounts/credentials/secrets';
import { PasswordCheck } from '#accounts/sessions/password-check';
import type { Form } from '#http/browser/read-form';
import { CLOCK, type Clock } from '#kernel/clock';
import type { UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { keyFor } from '#protocol/signing/key-for';
import { SIGNING_KEY, type SigningKey } from '#protocol/signing/signing-key';
import type { Browser } from './browsers.js';

/** For so long after somebody has shown at a provider who they are, for one thing, they may do that. */
const CONFIRMED_MS = 10 * 60 * 1000;

/** The field of a form that says so. */
export const CONFIRMATION = 'confirmation';

/** What a confirmation is good for. */
interface Confirmed {
  readonly userId: UserId;
  /** sha256 of the cookie. */
  readonly browser: string;
  readonly action: string;
  readonly until: number;
}

/**
 * Makes sure, before what could do harm is done, that it is the person who sits there, and not whoever found the browser open: by their password,
 * and where they have none by having shown, for just that and in this browser, at their provider once more who they are.
 */
@Injectable()
export class ConfirmPerson {
  readonly #key: Buffer;

  constructor(
    private readonly passwords: PasswordCheck,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(SIGNING_KEY) signingKey: SigningKey,
  ) {
    this.#key = keyFor(signingKey.exportSeed(), 'confirmation by a person');
  }

  /** Whether they can be asked for a password. */
  async hasPassword(userId: UserId): Promise<boolean> {
    return this.passwords.isFor(userId);
  }

  /** What a form of this browser, for this action, has in its field, of who has just shown elsewhere who they are. */
  confirmationFor({ cookie }: Browser, userId: UserId, action: string): string {
    const browser = hashSecret(cookie);
    const confirmed: Confirmed = { userId, browser, action, until: this.clock.now() + CONFIRMED_MS };
    return sealText(this.#key, JSON.stringify(confirmed));
  }

  /** Throws M_FORBIDDEN where it is not their password, or they have none and have not shown for this who they are; M_LIMIT_EXCEEDED. */
  async check(browser: Browser, action: string, form: Form): Promise<void> {
    const { userId } = browser;
    if (userId === undefined) throw new MatrixError('M_FORBIDDEN', 'Nobody is signed in');
    if (await this.hasPassword(userId)) {
      const isRight =
        (await this.passwords.verify({ userId, password: form.get('password') ?? '' }))?.userId === userId;
      if (!isRight) throw new MatrixError('M_FORBIDDEN', 'This is not your password');
    } else if (!this.#isConfirmed(form.get(CONFIRMATION) ?? '', browser, action)) {
      throw new MatrixError('M_FORBIDDEN', 'Confirm first that it is you, then repeat this within ten minutes');
    }
  }

  #isConfirmed(text: string, { cookie, userId }: Browser, action: string): boolean {
    const opened = openText(this.#key, text);
    if (opened === undefined) return false;
    const confirmed = JSON.parse(opened) as Confirmed; // as `confirmationFor` wrote it
    const isOfThis = confirmed.userId === userId && confirmed.browser === hashSecret(cookie);
    return isOfThis && confirmed.action === action && confirmed.until > this.clock.now();
  }
}
