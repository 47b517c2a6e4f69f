import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import type { LimitedRequest } from '#http/rate-limits';
import { escapeHtml } from '#kernel/escape-html';
import { type JsonObject, isJsonObject } from '#kernel/json';
import { hashSecret } from '../../credentials/secrets.js';
import { askedForAccount } from '../../pages/operation-words.js';
import { beginAgain, EMAIL_INPUT, shownElsewherePage, stagePage } from '../../pages/stage-page.js';
import { MailValidation } from '../../threepids/mail-validation.js';
import { findCredentials } from '../../threepids/threepid-credentials.js';
import type { AuthSession, Purpose } from '../auth-sessions.js';
import { begunBy, PassByThreepid, purposeOf } from '../pass-by-threepid.js';
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
  readonly way = 'a mail address';

  constructor(
    registry: StageRegistry,
    private readonly validation: MailValidation,
    private readonly byThreepid: PassByThreepid,
    @Inject(CONFIG) private readonly config: Pick<Config, 'registrationEmail'>,
  ) {
    registry.add(this);
  }

  standingIn(purpose: Purpose): Standing | undefined {
    const inRegistration = this.config.registrationEmail;
    return this.byThreepid.standingIn(purpose, {
      type: this.type,
      isSentHere: this.validation.isConfigured,
      inRegistration,
    });
  }

  async pass(auth: JsonObject, session: AuthSession, asker?: LimitedRequest): Promise<Passage> {
    if (typeof auth['email'] === 'string' && auth['email'] !== '') {
      this.validation.checkAsker(asker);
      return this.#begin(auth['email'], session);
    }
    const credentials = findCredentials(auth) ?? begunBy(this.type, session, secretOf(session));
    return this.byThreepid.pass('email', session, credentials, 'The link in the mail was not opened yet');
  }

  view({ session, problem, again }: PageContext): StageView {
    const begun = session.begun[this.type];
    const title = 'Confirm your mail address';
    const what = askedForAccount(session.operation, 'your mail address');
    if (!this.validation.isConfigured) return { page: shownElsewherePage(title) };
    if (!isJsonObject(begun))
      return { page: stagePage({ title, fields: what + EMAIL_INPUT, action: 'Send a mail', problem }) };
    const fields = `${what}<p>A mail is on its way to ${escapeHtml(String(begun['email']))}. Open the link in it, then go on here.</p>${beginAgain(again)}`;
    return { page: stagePage({ title, fields, problem }) };
  }

  #begin(email: string, session: AuthSession): Passage {
    const clientSecret = secretOf(session);
    // Once for each address: who wants another mail begins another session.
    const sid = this.validation.begin({ purpose: purposeOf(session), email, clientSecret, sendAttempt: 1 });
    session.begun = { ...session.begun, [this.type]: { sid, email } };
    return { isComplete: false, answer: { sid } };
  }
}

/** What stands for the session where it is shown to nobody else. */
const secretOf = ({ id }: AuthSession): string => hashSecret(`mail ${id}`);
