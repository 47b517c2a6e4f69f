import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import type { LimitedRequest } from '#http/rate-limits';
import { type JsonObject, isJsonObject } from '#kernel/json';
import { hashSecret } from '../../credentials/secrets.js';
import { escapeHtml } from '../../pages/html-page.js';
import { EMAIL_INPUT, stagePage } from '../../pages/stage-page.js';
import { MailValidation } from '../../threepids/mail-validation.js';
import { findCredentials } from '../../threepids/threepid-credentials.js';
import type { SessionName } from '../../threepids/validation-sessions.js';
import type { AuthSession, Purpose } from '../auth-sessions.js';
import { StageFailed } from '../interaction-required.js';
import { PassByThreepid, purposeOf } from '../pass-by-threepid.js';
import type { PageContext, Passage, Stage, StageView, Standing } from '../stage.js';
import { StageRegistry } from '../stage-registry.js';

/**
 * `m.login.email.identity` (client-server API, "Email-based (identity / homeserver)"; 2015 "Email-based (identity server)"): a mail address
 * that was shown to be somebody's, to this server itself, or to an identity server that is believed. On its page, and for clients that send an `email`, the
 * stage has the mail sent.
 */
@Injectable()
export class EmailIdentityStage implements Stage {
  readonly type = 'm.login.email.identity';
  readonly rank = 40;

  constructor(
    registry: StageRegistry,
    private readonly validation: MailValidation,
    private readonly byThreepid: PassByThreepid,
    @Inject(CONFIG) private readonly config: Pick<Config, 'registrationEmail' | 'loginFlows'>,
  ) {
    registry.add(this);
  }

  standingIn(purpose: Purpose): Standing | undefined {
    const isSentHere = this.validation.isConfigured;
    if (purpose === 'recovery') return isSentHere ? 'alternative' : undefined;
    if (!isSentHere && !this.byThreepid.areShownElsewhere) return undefined;
    if (purpose === 'login') return logsInBy(this.type, this.config);
    if (purpose !== 'registration' || this.config.registrationEmail === 'off') return undefined;
    return this.config.registrationEmail === 'required' ? 'required' : 'optional';
  }

  async pass(auth: JsonObject, session: AuthSession, asker?: LimitedRequest): Promise<Passage> {
    if (typeof auth['email'] === 'string' && auth['email'] !== '') {
      this.validation.checkAsker(asker);
      return this.#begin(auth['email'], session);
    }
    const credentials = findCredentials(auth) ?? this.#begun(session);
    return this.byThreepid.pass('email', session, credentials, 'The link in the mail was not opened yet');
  }

  view({ session, problem }: PageContext): StageView {
    const begun = session.begun[this.type];
    const title = 'Confirm your mail address';
    if (!isJsonObject(begun))
      return { page: stagePage({ title, fields: EMAIL_INPUT, action: 'Send a mail', problem }) };
    const fields = `<p>A mail is on its way to ${escapeHtml(String(begun['email']))}. Open the link in it, then go on here.</p>`;
    return { page: stagePage({ title, fields, problem }) };
  }

  #begin(email: string, session: AuthSession): Passage {
    const clientSecret = secretOf(session);
    // Once for each address: who wants another mail begins another session.
    const sid = this.validation.begin({ purpose: purposeOf(session), email, clientSecret, sendAttempt: 1 });
    session.begun = { ...session.begun, [this.type]: { sid, email } };
    return { isComplete: false, answer: { sid } };
  }

  #begun(session: AuthSession): SessionName {
    const begun = session.begun[this.type];
    if (isJsonObject(begun)) return { sid: String(begun['sid']), clientSecret: secretOf(session) };
    throw new StageFailed('M_MISSING_PARAM', 'threepid_creds: required');
  }
}

/** Whether somebody logs in by a stage that an address is enough for: only where the operator says so (`ANNALS_LOGIN_FLOWS`). */
export function logsInBy(type: string, { loginFlows }: Pick<Config, 'loginFlows'>): Standing | undefined {
  return loginFlows?.some((flow) => flow.includes(type)) === true ? 'alternative' : undefined;
}

/** What stands for the session where it is shown to nobody else. */
const secretOf = ({ id }: AuthSession): string => hashSecret(`mail ${id}`);
