import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { isJsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { KEPT_ELSEWHERE, WhosePassword } from '../sessions/whose-password.js';
import type { Validated } from '../threepids/mail-validation.js';
import { ShownThreepids } from '../threepids/shown-threepids.js';
import type { Medium } from '../threepids/threepid.js';
import type { ThreepidCredentials } from '../threepids/threepid-credentials.js';
import { ThreepidClaims } from '../threepids/threepid-claims.js';
import type { ValidationPurpose } from '../threepids/validation-links.js';
import type { SessionName } from '../threepids/validation-sessions.js';
import type { AuthSession, Learnt, Purpose } from './auth-sessions.js';
import { StageFailed } from './interaction-required.js';
import type { Passage, Standing } from './stage.js';

/** A stage that is passed so. */
export interface ThreepidStage {
  readonly type: string;
  /** Whether this server itself sends what shows it. */
  readonly isSentHere: boolean;
  /** Whether who registers passes it. */
  readonly inRegistration: Config['registrationEmail'];
}

/** What the stages have in common that are passed by an address or a number that was shown to be somebody's. */
@Injectable()
export class PassByThreepid {
  constructor(
    private readonly shown: ShownThreepids,
    private readonly claims: ThreepidClaims,
    private readonly whose: WhosePassword,
    @Inject(CONFIG) private readonly config: Pick<Config, 'loginFlows'>,
  ) {}

  /**
   * Where such a stage stands. Nobody logs in by it unless the operator says so (`ANNALS_LOGIN_FLOWS`): an address is all it takes then. Who has a new password
   * sent must show it to this server itself.
   */
  standingIn(purpose: Purpose, { type, isSentHere, inRegistration }: ThreepidStage): Standing | undefined {
    if (purpose === 'recovery') return isSentHere ? 'alternative' : undefined;
    if (!isSentHere && !this.shown.areShownElsewhere) return undefined;
    if (purpose === 'login') {
      return this.config.loginFlows?.some((flow) => flow.includes(type)) === true ? 'alternative' : undefined;
    }
    return purpose !== 'registration' || inRegistration === 'off' ? undefined : inRegistration;
  }

  /** Throws StageFailed with `notYet` where nothing was shown, M_THREEPID_IN_USE, M_THREEPID_NOT_FOUND. */
  async pass(medium: Medium, session: AuthSession, credentials: ThreepidCredentials, notYet: string): Promise<Passage> {
    const purpose = purposeOf(session);
    // Who registers or logs in is not known yet.
    const shown = await this.shown.take(purpose, credentials, null, medium);
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

/** The validation that a stage has begun on its page. Throws StageFailed where it has begun none. */
export function begunBy(type: string, session: AuthSession, clientSecret: string): SessionName {
  const begun = session.begun[type];
  if (isJsonObject(begun)) return { sid: String(begun['sid']), clientSecret };
  throw new StageFailed('M_MISSING_PARAM', 'threepid_creds: required');
}
