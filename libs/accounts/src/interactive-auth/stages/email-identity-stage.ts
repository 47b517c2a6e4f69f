import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import type { LimitedRequest } from '#http/rate-limits';
import { type JsonObject, isJsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { hashSecret } from '../../credentials/secrets.js';
import { escapeHtml } from '../../pages/html-page.js';
import { EMAIL_INPUT, stagePage } from '../../pages/stage-page.js';
import { KEPT_ELSEWHERE, WhosePassword } from '../../sessions/whose-password.js';
import { MailValidation, type Validated } from '../../threepids/mail-validation.js';
import { ThreepidClaims } from '../../threepids/threepid-claims.js';
import type { ValidationPurpose } from '../../threepids/validation-links.js';
import type { AuthSession, Learnt, Purpose } from '../auth-sessions.js';
import { StageFailed } from '../interaction-required.js';
import type { PageContext, Passage, Stage, StageView, Standing } from '../stage.js';
import { StageRegistry } from '../stage-registry.js';

/** By which a client shows a validation. */
interface Credentials {
  readonly sid: string;
  readonly clientSecret: string;
}

/**
 * `m.login.email.identity` (client-server API, "Email-based (identity / homeserver)"; 2015 "Email-based (identity server)"): a mail address
 * that was shown to be somebody's, to this server itself. On its page, and for clients that send an `email`, the stage has the mail sent.
 */
@Injectable()
export class EmailIdentityStage implements Stage {
  readonly type = 'm.login.email.identity';
  readonly rank = 40;

  constructor(
    registry: StageRegistry,
    private readonly validation: MailValidation,
    private readonly claims: ThreepidClaims,
    private readonly whose: WhosePassword,
    @Inject(CONFIG) private readonly config: Pick<Config, 'registrationEmail'>,
  ) {
    registry.add(this);
  }

  standingIn(purpose: Purpose): Standing | undefined {
    if (!this.validation.isConfigured) return undefined;
    if (purpose === 'recovery') return 'alternative';
    if (purpose !== 'registration' || this.config.registrationEmail === 'off') return undefined;
    return this.config.registrationEmail === 'required' ? 'required' : 'optional';
  }

  async pass(auth: JsonObject, session: AuthSession, asker?: LimitedRequest): Promise<Passage> {
    const purpose: ValidationPurpose = session.operation.purpose === 'recovery' ? 'recovery' : 'registration';
    if (typeof auth['email'] === 'string' && auth['email'] !== '') {
      this.validation.checkAsker(asker);
      return this.#begin(auth['email'], purpose, session);
    }
    const { sid, clientSecret } = readCredentials(auth) ?? this.#begun(session);
    const shown = await this.validation.take(purpose, sid, clientSecret);
    if (shown === undefined) throw new StageFailed('M_THREEPID_AUTH_FAILED', 'The link in the mail was not opened yet');
    return { isComplete: true, learnt: await this.#learn(purpose, shown) };
  }

  view({ session, problem }: PageContext): StageView {
    const begun = session.begun[this.type];
    const title = 'Confirm your mail address';
    if (!isJsonObject(begun))
      return { page: stagePage({ title, fields: EMAIL_INPUT, action: 'Send a mail', problem }) };
    const fields = `<p>A mail is on its way to ${escapeHtml(String(begun['email']))}. Open the link in it, then go on here.</p>`;
    return { page: stagePage({ title, fields, problem }) };
  }

  #begin(email: string, purpose: ValidationPurpose, session: AuthSession): Passage {
    const clientSecret = secretOf(session);
    // Once for each address: who wants another mail begins another session.
    const sid = this.validation.begin({ purpose, email, clientSecret, sendAttempt: 1 });
    session.begun = { ...session.begun, [this.type]: { sid, email } };
    return { isComplete: false, answer: { sid } };
  }

  #begun(session: AuthSession): Credentials {
    const begun = session.begun[this.type];
    if (isJsonObject(begun)) return { sid: String(begun['sid']), clientSecret: secretOf(session) };
    throw new StageFailed('M_MISSING_PARAM', 'threepid_creds: required');
  }

  async #learn(purpose: ValidationPurpose, { threepid, validatedAt }: Validated): Promise<Learnt> {
    const owner = await this.claims.findOwner(threepid);
    if (purpose === 'registration') {
      if (owner !== undefined) throw new MatrixError('M_THREEPID_IN_USE');
      return { threepid: { ...threepid, validatedAt } };
    }
    if (owner === undefined) throw new MatrixError('M_THREEPID_NOT_FOUND', 'No account has this address');
    if (!(await this.whose.isOurs(owner))) throw new StageFailed('M_FORBIDDEN', KEPT_ELSEWHERE);
    return { userId: owner };
  }
}

/** Today's form, and that of 2015, which lists several: one is enough. Throws M_BAD_JSON. */
function readCredentials(auth: JsonObject): Credentials | undefined {
  const given = auth['threepid_creds'] ?? auth['threepidCreds'];
  if (given === undefined) return undefined;
  const one: unknown = Array.isArray(given) ? given[0] : given;
  if (!isJsonObject(one)) throw new MatrixError('M_BAD_JSON', 'threepid_creds: must be an object');
  const { sid, client_secret: today, clientSecret = today } = one;
  if (typeof sid !== 'string' || typeof clientSecret !== 'string') {
    throw new MatrixError('M_MISSING_PARAM', 'threepid_creds: sid and client_secret are required');
  }
  return { sid, clientSecret };
}

/** What stands for the session where it is shown to nobody else. */
const secretOf = ({ id }: AuthSession): string => hashSecret(`mail ${id}`);
