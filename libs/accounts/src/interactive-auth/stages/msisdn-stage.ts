import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import type { LimitedRequest } from '#http/rate-limits';
import { escapeHtml } from '#kernel/escape-html';
import { type JsonObject, isJsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { hashSecret } from '../../credentials/secrets.js';
import { askedForAccount } from '../../pages/operation-words.js';
import { beginAgain, CODE_INPUT, PHONE_INPUT, shownElsewherePage, stagePage } from '../../pages/stage-page.js';
import { PhoneValidation } from '../../threepids/phone-validation.js';
import { findCredentials } from '../../threepids/threepid-credentials.js';
import type { AuthSession, Purpose } from '../auth-sessions.js';
import { StageFailed } from '../interaction-required.js';
import { begunBy, PassByThreepid, purposeOf } from '../pass-by-threepid.js';
import type { PageContext, Passage, Stage, StageView, Standing } from '../stage.js';
import { StageRegistry } from '../stage-registry.js';

/**
 * `m.login.msisdn` (client-server API, "Phone number/MSISDN-based (identity / homeserver)"): a phone number that was shown to be somebody's, to this server
 * itself, or to an identity server that is believed. On its page, and for clients that send a `phone_number` and its `country`, the stage has the code sent, and
 * takes it as `code`.
 */
@Injectable()
export class MsisdnStage implements Stage {
  readonly type = 'm.login.msisdn';
  readonly rank = 41;
  readonly way = 'a phone number';

  constructor(
    registry: StageRegistry,
    private readonly validation: PhoneValidation,
    private readonly byThreepid: PassByThreepid,
    @Inject(CONFIG) private readonly config: Pick<Config, 'registrationPhone'>,
  ) {
    registry.add(this);
  }

  standingIn(purpose: Purpose): Standing | undefined {
    const inRegistration = this.config.registrationPhone;
    return this.byThreepid.standingIn(purpose, {
      type: this.type,
      isSentHere: this.validation.isConfigured,
      inRegistration,
    });
  }

  async pass(auth: JsonObject, session: AuthSession, asker?: LimitedRequest): Promise<Passage> {
    const { phone_number: phone, country, code } = auth;
    if (typeof phone === 'string' && phone !== '') {
      if (typeof country !== 'string') throw new MatrixError('M_MISSING_PARAM', 'country: required');
      this.validation.checkAsker(asker);
      return this.#begin({ phone, country }, session);
    }
    if (typeof code === 'string' && code !== '') await this.#submit(code, session);
    const credentials = findCredentials(auth) ?? begunBy(this.type, session, secretOf(session));
    return this.byThreepid.pass('msisdn', session, credentials, 'The code was not brought back yet');
  }

  view({ session, problem, again }: PageContext): StageView {
    const begun = session.begun[this.type];
    const title = 'Confirm your phone number';
    const what = askedForAccount(session.operation, 'your phone number');
    if (!this.validation.isConfigured) return { page: shownElsewherePage(title) };
    if (!isJsonObject(begun)) {
      return { page: stagePage({ title, fields: what + PHONE_INPUT, action: 'Send a code', problem }) };
    }
    const fields = `${what}<p>A message with a code is on its way to +${escapeHtml(String(begun['number']))}.</p>${CODE_INPUT}${beginAgain(again)}`;
    return { page: stagePage({ title, fields, problem }) };
  }

  async #begin(wanted: { readonly phone: string; readonly country: string }, session: AuthSession): Promise<Passage> {
    const clientSecret = secretOf(session);
    // Once for each number: who wants another code begins another session.
    const asked = { ...wanted, purpose: purposeOf(session), clientSecret, sendAttempt: 1 };
    const { sid, number } = await this.validation.begin(asked);
    session.begun = { ...session.begun, [this.type]: { sid, number } };
    return { isComplete: false, answer: { sid, submit_url: this.validation.submitUrl } };
  }

  async #submit(code: string, session: AuthSession): Promise<void> {
    try {
      await this.validation.submit(begunBy(this.type, session, secretOf(session)), code);
    } catch (error) {
      const isWrong = error instanceof MatrixError && WRONG.has(error.errcode);
      throw isWrong ? new StageFailed('M_FORBIDDEN', 'Wrong code, or one that holds no more') : error;
    }
  }
}

const WRONG: ReadonlySet<string> = new Set(['M_TOKEN_INCORRECT', 'M_SESSION_EXPIRED', 'M_NO_VALID_SESSION']);

/** What stands for the session where it is shown to nobody else. */
const secretOf = ({ id }: AuthSession): string => hashSecret(`phone ${id}`);
