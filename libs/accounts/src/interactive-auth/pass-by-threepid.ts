import { Injectable } from '@nestjs/common';
import { MatrixError } from '#kernel/matrix-error';
import { KEPT_ELSEWHERE, WhosePassword } from '../sessions/whose-password.js';
import type { Validated } from '../threepids/mail-validation.js';
import { ShownThreepids } from '../threepids/shown-threepids.js';
import type { Medium } from '../threepids/threepid.js';
import type { ThreepidCredentials } from '../threepids/threepid-credentials.js';
import { ThreepidClaims } from '../threepids/threepid-claims.js';
import type { ValidationPurpose } from '../threepids/validation-links.js';
import type { AuthSession, Learnt } from './auth-sessions.js';
import { StageFailed } from './interaction-required.js';
import type { Passage } from './stage.js';

/** What the stages have in common that are passed by an address or a number that was shown to be somebody's. */
@Injectable()
export class PassByThreepid {
  constructor(
    private readonly shown: ShownThreepids,
    private readonly claims: ThreepidClaims,
    private readonly whose: WhosePassword,
  ) {}

  /** Whether identity servers are believed, too. */
  get areShownElsewhere(): boolean {
    return this.shown.areShownElsewhere;
  }

  /** Throws StageFailed with `notYet` where nothing was shown, M_THREEPID_IN_USE, M_THREEPID_NOT_FOUND. */
  async pass(medium: Medium, session: AuthSession, credentials: ThreepidCredentials, notYet: string): Promise<Passage> {
    const purpose = purposeOf(session);
    const shown = await this.shown.take(purpose, credentials, medium);
    if (shown === undefined) throw new StageFailed('M_THREEPID_AUTH_FAILED', notYet);
    return { isComplete: true, learnt: await this.#learn(purpose, shown) };
  }

  async #learn(purpose: ValidationPurpose, { threepid, validatedAt }: Validated): Promise<Learnt> {
    const owner = await this.claims.findOwner(threepid);
    if (purpose === 'registration') {
      if (owner !== undefined) throw new MatrixError('M_THREEPID_IN_USE');
      return { [threepid.medium === 'email' ? 'threepid' : 'phone']: { ...threepid, validatedAt } };
    }
    if (owner === undefined) throw new MatrixError('M_THREEPID_NOT_FOUND', 'No account has this address');
    if (!(await this.whose.isOurs(owner))) throw new StageFailed('M_FORBIDDEN', KEPT_ELSEWHERE);
    return { userId: owner };
  }
}

/** What an address is shown for in a session. */
export function purposeOf({ operation: { purpose } }: AuthSession): ValidationPurpose {
  return purpose === 'recovery' || purpose === 'login' ? purpose : 'registration';
}
