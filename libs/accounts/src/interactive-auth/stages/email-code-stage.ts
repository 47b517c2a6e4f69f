import { Injectable } from '@nestjs/common';
import type { LimitedRequest } from '#http/rate-limits';
import { escapeHtml } from '#kernel/escape-html';
import { isSameSecret } from '#kernel/is-same-secret';
import { type JsonObject, isJsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { makeCode } from '../../credentials/make-code.js';
import { hashSecret } from '../../credentials/secrets.js';
import { askedForAccount } from '../../pages/operation-words.js';
import { beginAgain, CODE_INPUT, EMAIL_INPUT, stagePage } from '../../pages/stage-page.js';
import { MailValidation } from '../../threepids/mail-validation.js';
import { codeMail } from '../../threepids/validation-mails.js';
import type { AuthSession, Purpose } from '../auth-sessions.js';
import { StageFailed } from '../interaction-required.js';
import { LoginByMail, type MailClaim } from '../login-by-mail.js';
import type { Dialect, PageContext, Passage, Stage, StageView, Standing } from '../stage.js';
import { StageRegistry } from '../stage-registry.js';

const LIFETIME_MINUTES = 15;
/** So many codes may be typed for one mail: with eight digits nobody guesses it. */
const MOST_TRIES = 5;

/** What is remembered of a code that was sent. */
interface SentCode extends MailClaim {
  /** sha256 of the code and of the id of the session: the code is good in no other. */
  readonly hash: string;
  readonly until: number;
  readonly tries: number;
}

/** `m.login.email.code` (2015, "Email-based (code)"): a code of a mail, typed in where it was asked for. */
@Injectable()
export class EmailCodeStage implements Stage {
  readonly type = 'm.login.email.code';
  readonly rank = 60;
  readonly way = 'a code by mail';

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
    if (auth['code'] === undefined) return this.#send(auth, session, asker);
    if (typeof auth['code'] !== 'string') throw new MatrixError('M_BAD_JSON', 'code: must be a string');
    const sent = session.begun[this.type];
    if (!isJsonObject(sent)) throw new MatrixError('M_MISSING_PARAM', 'email: required');
    const claim = this.#take(sent as unknown as SentCode, auth['code'], session); // as `#send` wrote it
    return { isComplete: true, learnt: await this.byMail.learn(claim, session) };
  }

  view({ session, problem, again }: PageContext): StageView {
    const sent = session.begun[this.type];
    const title = 'A code by mail';
    const what = askedForAccount(session.operation, 'your mail address');
    if (!isJsonObject(sent)) {
      return { page: stagePage({ title, fields: what + EMAIL_INPUT, action: 'Send a mail', problem }) };
    }
    const fields = `${what}<p>A mail with a code is on its way to ${escapeHtml(String(sent['email']))}.</p>${CODE_INPUT}${beginAgain(again)}`;
    return { page: stagePage({ title, fields, problem }) };
  }

  async #send(auth: JsonObject, session: AuthSession, asker: LimitedRequest | undefined): Promise<Passage> {
    const claim = this.byMail.parse(auth, session);
    this.validation.checkAsker(asker);
    const code = makeCode();
    this.byMail.post(claim, session, (mail) => codeMail(mail, code, LIFETIME_MINUTES));
    const until = this.byMail.now() + LIFETIME_MINUTES * 60_000;
    const sent = { ...claim, hash: hashOf(code, session), until, tries: 0 };
    session.begun = { ...session.begun, [this.type]: sent };
    return { isComplete: false, answer: {} };
  }

  /** Counted before it is looked at, and gone once it was right: of two that try it at once one passes. */
  #take(sent: SentCode, code: string, session: AuthSession): MailClaim {
    const { [this.type]: _sent, ...others } = session.begun;
    if (sent.tries >= MOST_TRIES || sent.until <= this.byMail.now()) {
      session.begun = others;
      throw new StageFailed('M_FORBIDDEN', 'This code holds no more: have another one sent');
    }
    session.begun = { ...others, [this.type]: { ...sent, tries: sent.tries + 1 } };
    if (!isSameSecret(hashOf(code.replace(/\s/g, ''), session), sent.hash))
      throw new StageFailed('M_FORBIDDEN', 'Wrong code');
    session.begun = others;
    return sent;
  }
}

const hashOf = (code: string, { id }: AuthSession): string => hashSecret(`${id} ${code}`);
