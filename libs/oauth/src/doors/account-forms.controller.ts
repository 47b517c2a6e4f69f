import { Controller, Post, Req, Res, UseFilters, UseGuards } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { causeOf } from '#accounts/accounts';
import { ChangePassword } from '#accounts/commands/change-password';
import { ChangeProfile } from '#accounts/commands/change-profile';
import { DeactivateAccount } from '#accounts/commands/deactivate-account';
import { DeleteDevices } from '#accounts/commands/delete-devices';
import { TokenRights } from '#accounts/sessions/token-rights';
import { KEPT_ELSEWHERE } from '#accounts/sessions/whose-password';
import type { Form } from '#http/browser/read-form';
import { RateLimited } from '#http/rate-limited';
import { type DeviceId, parseDeviceId, type UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { AccountView } from '../browser/account-view.js';
import { type Browser, Browsers } from '../browser/browsers.js';
import { ConfirmPerson } from '../browser/confirm-person.js';
import { readNewPassword } from '../browser/read-new-password.js';
import { AllowKeyReset } from '../commands/allow-key-reset.js';
import { OAuthIsOn } from '../oauth-is-on.js';
import { ACTIONS } from '../account-actions.js';
import { ACCOUNT_FORMS, PAGES } from '../oauth-paths.js';
import { doneAt } from '../pages/account-pages.js';
import { notePage } from '../pages/link-page.js';
import { sendOn, showPage } from '#http/pages/show-page';
import { PageErrorFilter } from './page-error.filter.js';

/** Who asks in a browser does so on no device. */
const NO_DEVICE = '' as DeviceId;

/** Somebody who has sent a form of the account page. */
interface Sender {
  readonly userId: UserId;
  readonly browser: Browser;
  readonly form: Form;
  readonly requester: Requester;
}

/** What the forms of the account page do (client-server API, "Account management"). */
@UseGuards(OAuthIsOn)
@UseFilters(PageErrorFilter)
@RateLimited('login')
@Controller()
export class AccountFormsController {
  constructor(
    private readonly commands: CommandBus,
    private readonly browsers: Browsers,
    private readonly person: ConfirmPerson,
    private readonly account: AccountView,
    private readonly keyResets: AllowKeyReset,
    private readonly rights: TokenRights,
  ) {}

  @RateLimited('default')
  @Post(ACCOUNT_FORMS.profile)
  profile(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    return this.#doing(request, reply, ACTIONS.profile, async ({ requester, form }) => {
      const name = (form.get('displayname') ?? '').trim();
      await this.commands.execute(new ChangeProfile(requester, 'displayname', name === '' ? undefined : name));
      return doneAt(ACTIONS.profile, 'saved');
    });
  }

  @RateLimited('default')
  @Post(ACCOUNT_FORMS.devices)
  devices(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    return this.#doing(request, reply, ACTIONS.devices, async ({ requester, form }) => {
      await this.commands.execute(new DeleteDevices(requester, [parseDeviceId(form.get('device_id'))]));
      return doneAt(ACTIONS.devices, 'signed-out');
    });
  }

  @Post(ACCOUNT_FORMS.password)
  password(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    return this.#doing(request, reply, ACTIONS.profile, async ({ userId, browser, form, requester }) => {
      const password = readNewPassword(form, 'new_password');
      await this.person.check(browser, ACTIONS.profile, form);
      if (!(await this.account.hasPasswordHere(userId))) throw new MatrixError('M_FORBIDDEN', KEPT_ELSEWHERE);
      const change = { password, logoutDevices: form.get('logout_devices') === 'yes' };
      await this.commands.execute(new ChangePassword(userId, change, causeOf(requester)));
      // With it every browser is signed out, this one too.
      await this.browsers.signIn(reply, { userId, upstream: browser.upstream }, request.id);
      return doneAt(ACTIONS.profile, 'password');
    });
  }

  @Post(ACCOUNT_FORMS.keyReset)
  keyReset(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    return this.#doing(request, reply, ACTIONS.keyReset, async ({ userId, browser, form }) => {
      await this.person.check(browser, ACTIONS.keyReset, form);
      await this.keyResets.allow(userId, request.id);
      return doneAt(ACTIONS.profile, 'key-reset');
    });
  }

  @Post(ACCOUNT_FORMS.close)
  close(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    return this.#doing(request, reply, ACTIONS.close, async ({ userId, browser, form, requester }) => {
      if (form.get('confirmed')?.trim() !== userId)
        throw new MatrixError('M_INVALID_PARAM', 'This is not your user ID');
      await this.person.check(browser, ACTIONS.close, form);
      const erase = form.get('erase') === 'yes';
      await this.commands.execute(new DeactivateAccount(userId, erase, causeOf(requester)));
      await this.browsers.signOut(reply, browser, request.id);
      return undefined;
    });
  }

  /** Does what a form asks for, and shows where it leads; where it is refused, its page again with the reason, or the one on which terms are accepted. */
  async #doing(
    request: FastifyRequest,
    reply: FastifyReply,
    action: string,
    work: (sender: Sender) => Promise<string | undefined>,
  ): Promise<string> {
    const { browser, form } = await this.browsers.formOf(request, reply);
    const { userId } = browser;
    if (userId === undefined) return sendOn(reply, PAGES.account);
    const rights = this.rights.withoutToken(userId, await this.account.load(userId));
    const requester = { userId, deviceId: NO_DEVICE, ...rights, requestId: request.id };
    try {
      const to = await work({ userId, browser, form, requester });
      if (to !== undefined) return sendOn(reply, to);
      return showPage(reply, notePage('Your account is closed', 'You can close this page.'));
    } catch (error) {
      if (!(error instanceof MatrixError) || error.status >= 500) throw error;
      // Terms that are not accepted yet.
      const consentUri = error.fields?.['consent_uri'];
      if (typeof consentUri === 'string') return sendOn(reply, consentUri);
      const context = { ...(await this.account.contextFor(browser, userId)), problem: error.message };
      return showPage(reply, await this.account.page(action, context), error.status);
    }
  }
}
