import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { CLOCK, type Clock } from '#kernel/clock';
import type { UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { Mail } from '#mail/mailer';
import { KEPT_ELSEWHERE, WhosePassword } from '../sessions/whose-password.js';
import { MailValidation } from '../threepids/mail-validation.js';
import { parseThreepid } from '../threepids/threepid.js';
import { ThreepidClaims } from '../threepids/threepid-claims.js';
import type { ValidationPurpose } from '../threepids/validation-links.js';
import type { ValidationMail } from '../threepids/validation-mails.js';
import { findLocalUserId } from '../user-ids.js';
import type { AuthSession, Learnt, Purpose } from './auth-sessions.js';
import { StageFailed } from './interaction-required.js';
import type { Dialect, Standing } from './stage.js';

/** Which address somebody says to have, and which account by that. */
export interface MailClaim {
  readonly email: string;
  /** Absent: whichever has the address. */
  readonly userId?: UserId;
}

const MAILS: ReadonlySet<string> = new Set(['m.login.email.code', 'm.login.email.url']);

/** What the stages of 2015 have in common that show by a mail who somebody is, or, in a registration, that an address is theirs. */
@Injectable()
export class LoginByMail {
  constructor(
    private readonly validation: MailValidation,
    private readonly claims: ThreepidClaims,
    private readonly whose: WhosePassword,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName' | 'registrationEmail'>,
  ) {}

  now(): number {
    return this.clock.now();
  }

  /** Today's clients show an address by `m.login.email.identity`; but who logs in on a page may do so by these, too. */
  standingIn(purpose: Purpose, dialect: Dialect): Standing | undefined {
    if (!this.validation.isConfigured) return undefined;
    if (purpose === 'login') return dialect === 'v1' ? 'alternative' : undefined;
    const isWanted = purpose === 'registration' && dialect === 'v1' && this.config.registrationEmail === 'optional';
    return isWanted ? 'optional' : undefined;
  }

  /** What a client says: `email`, and where it logs in `user`. Throws M_MISSING_PARAM, M_BAD_JSON, M_INVALID_PARAM, and M_FORBIDDEN where stages before it said that it is somebody else. */
  parse({ email, user }: JsonObject, { operation, learnt }: AuthSession): MailClaim {
    if (typeof email !== 'string') throw new MatrixError('M_MISSING_PARAM', 'email: required');
    const { address } = parseThreepid('email', email);
    if (operation.purpose !== 'login') return { email: address };
    if (user !== undefined && user !== null && typeof user !== 'string')
      throw new MatrixError('M_BAD_JSON', 'user: must be a string');
    const isNamed = typeof user === 'string' && user !== '';
    const named = isNamed ? findLocalUserId(user, this.config.serverName) : learnt.userId;
    if (isNamed && named === undefined) throw new MatrixError('M_INVALID_PARAM', 'user: no user of this server');
    return named === undefined ? { email: address } : { email: address, userId: named };
  }

  /** Sends a mail as `MailValidation.post` does. Throws M_LIMIT_EXCEEDED. */
  post({ email, userId }: MailClaim, session: AuthSession, compose: (mail: ValidationMail) => Mail): void {
    const threepid = parseThreepid('email', email);
    this.validation.checkRoom(threepid);
    this.validation.post({ purpose: validationPurposeOf(session), threepid }, userId, compose);
  }

  /** Whose account it is, or which address the account gets, once the mail was read. Throws StageFailed where the address is not of that account any more, or another place lets that person in and nothing but mails is asked for. */
  async learn({ email, userId }: MailClaim, session: AuthSession): Promise<Learnt> {
    const { operation } = session;
    const threepid = parseThreepid('email', email);
    const owner = await this.claims.findOwner(threepid);
    if (operation.purpose === 'registration') {
      if (owner !== undefined) throw new MatrixError('M_THREEPID_IN_USE');
      return { threepid: { ...threepid, validatedAt: this.clock.now() } };
    }
    if (owner === undefined || (userId ?? owner) !== owner)
      throw new StageFailed('M_FORBIDDEN', 'Unknown user or address');
    // Who reads their mails may be somebody whom that place keeps out. Beside their password there it is as good as any.
    if (isByMailAlone(session) && !(await this.whose.isOurs(owner)))
      throw new StageFailed('M_FORBIDDEN', KEPT_ELSEWHERE);
    return { userId: owner };
  }
}

/** Whether nothing but mails shows who somebody is, or has to. */
function isByMailAlone({ operation, completed }: AuthSession): boolean {
  const areMails = (types: readonly string[]): boolean => types.every((type) => MAILS.has(type));
  return areMails(completed) && operation.flows.some(areMails);
}

/** For what an address is shown in a session. */
export function validationPurposeOf({ operation }: AuthSession): ValidationPurpose {
  return operation.purpose === 'registration' ? 'registration' : 'login';
}
