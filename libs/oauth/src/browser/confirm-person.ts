import { Inject, Injectable } from '@nestjs/common';
import { PasswordCheck } from '#accounts/sessions/password-check';
import { CLOCK, type Clock } from '#kernel/clock';
import type { UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { Browser } from './browsers.js';

/** For so long after a sign-in it is taken for certain who sits there, where there is no password to ask for. */
const FRESH_MS = 10 * 60 * 1000;

/** Makes sure, before what could do harm is done, that it is the person who sits there, and not whoever found the browser open. */
@Injectable()
export class ConfirmPerson {
  constructor(
    private readonly passwords: PasswordCheck,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** Whether they can be asked for a password. */
  async hasPassword(userId: UserId): Promise<boolean> {
    return this.passwords.isFor(userId);
  }

  /** Throws M_FORBIDDEN where it is not their password, or they have none and signed in too long ago; M_LIMIT_EXCEEDED. */
  async check({ userId, signedInAt }: Browser, password: string | undefined): Promise<void> {
    if (userId === undefined) throw new MatrixError('M_FORBIDDEN', 'Nobody is signed in');
    if (!(await this.hasPassword(userId))) {
      if (signedInAt !== undefined && this.clock.now() - signedInAt < FRESH_MS) return;
      throw new MatrixError('M_FORBIDDEN', 'Sign out and in again, then repeat this within ten minutes');
    }
    const isRight = (await this.passwords.verify({ userId, password: password ?? '' }))?.userId === userId;
    if (!isRight) throw new MatrixError('M_FORBIDDEN', 'This is not your password');
  }
}
