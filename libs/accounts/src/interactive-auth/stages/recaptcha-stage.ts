import { Inject, Injectable, Logger } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { Outgoing, OutgoingFailure } from '#http/outgoing/outgoing';
import { OF_OPERATOR, placeOf } from '#http/outgoing/place-of';
import { escapeHtml } from '#kernel/escape-html';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { messageOf } from '#kernel/message-of';
import { stagePage } from '../../pages/stage-page.js';
import type { Purpose } from '../auth-sessions.js';
import { StageFailed } from '../interaction-required.js';
import { PASSED, type PageContext, type Passage, type Stage, type StageView, type Standing } from '../stage.js';
import { StageRegistry } from '../stage-registry.js';

const WITHIN_MS = 10_000;
const MAX_BYTES = 64 * 1024;
const MOST_RESPONSE = 8 * 1024;
/** What the widgets of reCAPTCHA and of services that are made as it call what they add to a form. */
const FIELDS = ['response', 'g-recaptcha-response', 'h-captcha-response', 'cf-turnstile-response'];
/** From where the script of Google's fetches the rest of itself. */
const GSTATIC = 'https://www.gstatic.com';

/**
 * `m.login.recaptcha` (client-server API, "Google ReCAPTCHA"; 2015, "Captcha-based"): what a widget says of who solved it, verified by the
 * service of the operator's choice, which is asked as reCAPTCHA is (`siteverify`).
 */
@Injectable()
export class RecaptchaStage implements Stage {
  readonly type = 'm.login.recaptcha';
  readonly rank = 20;
  readonly way = 'a captcha';
  readonly showsNobody = true;
  readonly #log = new Logger('accounts');

  constructor(
    registry: StageRegistry,
    private readonly outgoing: Outgoing,
    @Inject(CONFIG) private readonly config: Pick<Config, 'recaptcha' | 'loginFlows'>,
  ) {
    registry.add(this);
  }

  /** Of registrations wherever there is one; of log-ins where the operator says so (`ANNALS_LOGIN_FLOWS`), beside a stage that shows who somebody is. */
  standingIn(purpose: Purpose): Standing | undefined {
    const { recaptcha, loginFlows } = this.config;
    if (recaptcha === undefined) return undefined;
    if (purpose === 'registration') return 'required';
    const isNamed = loginFlows?.some((flow) => flow.includes(this.type)) === true;
    return purpose === 'login' && isNamed ? 'alternative' : undefined;
  }

  params(): JsonObject | undefined {
    const { recaptcha } = this.config;
    return recaptcha && { public_key: recaptcha.siteKey };
  }

  /** In 2015's form there was a `challenge` besides, of a version of the service that is no more. Throws M_UNKNOWN (503) where the service does not say whether it was solved. */
  async pass(auth: JsonObject): Promise<Passage> {
    const response = FIELDS.map((name) => auth[name]).find((value) => value !== undefined);
    if (typeof response !== 'string' || response === '') {
      throw new StageFailed('M_MISSING_PARAM', 'The captcha is not solved');
    }
    if (response.length > MOST_RESPONSE || !(await this.#isGood(response))) {
      throw new StageFailed('M_FORBIDDEN', 'The captcha was not solved');
    }
    return PASSED;
  }

  view({ problem }: PageContext): StageView {
    const { recaptcha } = this.config;
    // A session may have been begun before a restart, when there was one.
    if (recaptcha === undefined) throw new MatrixError('M_UNRECOGNIZED', 'There is no captcha here any more');
    const { siteKey, scriptUrl } = recaptcha;
    const { origin } = new URL(scriptUrl);
    const key = escapeHtml(siteKey);
    const fields = `<div class="g-recaptcha h-captcha cf-turnstile" data-sitekey="${key}"></div>
<noscript><p role="alert">This step needs JavaScript.</p></noscript>
<script src="${escapeHtml(scriptUrl)}" async defer></script>`;
    const othersScripts = { scriptsOf: [origin, GSTATIC], framesOf: [origin] };
    return { page: stagePage({ title: 'Are you a person?', fields, problem, rules: { othersScripts } }) };
  }

  async #isGood(response: string): Promise<boolean> {
    const { recaptcha } = this.config;
    if (recaptcha === undefined) return false;
    try {
      return await this.#ask(recaptcha, response);
    } catch (error) {
      const isOfService =
        error instanceof OutgoingFailure || error instanceof SyntaxError || error instanceof NoVerdict;
      if (!isOfService) throw error;
      this.#log.warn(`The captcha service does not verify: ${messageOf(error)}`);
      throw new MatrixError('M_UNKNOWN', 'The captcha cannot be verified at the moment', { status: 503 });
    }
  }

  async #ask({ verifyUrl, secret }: NonNullable<Config['recaptcha']>, response: string): Promise<boolean> {
    const url = new URL(verifyUrl);
    const { status, body } = await this.outgoing.send(placeOf(url, OF_OPERATOR), {
      method: 'POST',
      path: `${url.pathname}${url.search}`,
      headers: { host: url.host, 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({ secret, response }).toString(),
      withinMs: WITHIN_MS,
      maxBytes: MAX_BYTES,
    });
    // Some say of a bad response by the status, too, that it is.
    const isRefusal = status >= 400 && status < 500;
    const verdict = (status === 200 || isRefusal) && readVerdict(JSON.parse(body.toString('utf8')));
    if (status === 200 || (isRefusal && !verdict)) return verdict;
    throw new NoVerdict(`it answers with status ${status}`);
  }
}

/** What the service has answered says nothing of who solved the captcha. */
class NoVerdict extends Error {}

/** What services say where it is the server that has asked wrongly, and not the person (`missing-input-secret`, `sitekey-secret-mismatch`, `bad-request`, `internal-error`). */
const OF_SERVER = /secret|^bad-request$|^internal-error$/;

/** Throws NoVerdict. */
function readVerdict(told: unknown): boolean {
  const { success, 'error-codes': codes } = (told ?? {}) as { success?: unknown; 'error-codes'?: unknown };
  if (typeof success !== 'boolean') throw new NoVerdict('its answer has no verdict');
  const faults = Array.isArray(codes) ? codes.filter((code) => typeof code === 'string' && OF_SERVER.test(code)) : [];
  if (!success && faults.length > 0) throw new NoVerdict(faults.join(', '));
  return success;
}
