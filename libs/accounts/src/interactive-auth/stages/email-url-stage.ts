import { Injectable } from '@nestjs/common';
import type { LimitedRequest } from '#http/rate-limits';
import { escapeHtml } from '#kernel/escape-html';
import { type JsonObject, isJsonObject } from '#kernel/json';
import { hashSecret } from '../../credentials/secrets.js';
import { askedForAccount } from '../../pages/operation-words.js';
import { beginAgain, EMAIL_INPUT, stagePage } from '../../pages/stage-page.js';
import { MailValidation } from '../../threepids/mail-validation.js';
import type { AuthSession, Purpose } from '../auth-sessions.js';
import { StageFailed } from '../interaction-required.js';
import { LoginByMail, type MailClaim, validationPurposeOf } from '../login-by-mail.js';
import type { Dialect, PageContext, Passage, Stage, StageView, Standing } from '../stage.js';
import { StageRegistry } from '../stage-registry.js';

/** What is remembered of a link that was sent. */
interface SentLink extends MailClaim {
  readonly sid: string;
}

/**
 * `m.login.email.url` (2015, "Email-based (url)"): a link in a mail, which is opened wherever the mail is read, while the client asks again and again. Until then
 * it is answered M_LOGIN_EMAIL_URL_NOT_YET.
 */
@Injectable()
export class EmailUrlStage implements Stage {
  readonly type = 'm.login.email.url';
  readonly rank = 61;
  readonly way = 'a link by mail';

  constructor(
    registry: StageRegistry,
    private readonly byMail: LoginByMail,
    private readonly validation: MailValidation,
  ) {
    registry.add(this);
  }

  standingIn(purpose: Purpose, dialect: Dialect): Standing | undefined {
    return this.byMail.standingIn(purpose, dialect);
  }

  async pass(auth: JsonObject, session: AuthSession, asker?: LimitedRequest): Promise<Passage> {
    const begun = session.begun[this.type];
    if (auth['email'] !== undefined || !isJsonObject(begun)) return this.#send(auth, session, asker);
    const sent = begun as unknown as SentLink; // as `#send` wrote it
    const shown = await this.validation.take(validationPurposeOf(session), sent.sid, secretOf(session));
    if (shown === undefined)
      throw new StageFailed('M_LOGIN_EMAIL_URL_NOT_YET', 'The link in the mail has not been opened yet');
    return { isComplete: true, learnt: await this.byMail.learn(sent, session) };
  }

  view({ session, problem, again }: PageContext): StageView {
    const sent = session.begun[this.type];
    const title = 'A link by mail';
    const what = askedForAccount(session.operation, 'your mail address');
    if (!isJsonObject(sent)) {
      return { page: stagePage({ title, fields: what + EMAIL_INPUT, action: 'Send a mail', problem }) };
    }
    const fields = `${what}<p>A mail is on its way to ${escapeHtml(String(sent['email']))}. Open the link in it, then go on here.</p>${beginAgain(again)}`;
    return { page: stagePage({ title, fields, problem }) };
  }

  #send(auth: JsonObject, session: AuthSession, asker: LimitedRequest | undefined): Passage {
    const claim = this.byMail.parse(auth, session);
    this.validation.checkAsker(asker);
    const purpose = validationPurposeOf(session);
    const userId = claim.userId === undefined ? {} : { userId: claim.userId };
    const wanted = { purpose, email: claim.email, clientSecret: secretOf(session), sendAttempt: 1, ...userId };
    const sid = this.validation.begin(wanted);
    session.begun = { ...session.begun, [this.type]: { ...claim, sid } };
    return { isComplete: false, answer: {} };
  }
}

/** What stands for the session where it is shown to nobody else. */
const secretOf = ({ id }: AuthSession): string => hashSecret(`link ${id}`);
