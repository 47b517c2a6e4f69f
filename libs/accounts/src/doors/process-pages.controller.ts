import { randomBytes } from 'node:crypto';
import { Controller, Get, HttpCode, Inject, Post, Req, Res, UseFilters } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { CONFIG, type Config } from '#config/config';
import { BrowserCookie } from '#http/browser/browser-cookie';
import { readForm } from '#http/browser/read-form';
import { V1 } from '#http/client-paths';
import { ErrorPageFilter } from '#http/pages/error-page.filter';
import { RateLimited } from '#http/rate-limited';
import { RateLimits } from '#http/rate-limits';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { LogIn } from '../commands/log-in.js';
import { RegisterAccount } from '../commands/register-account.js';
import type { AuthSession } from '../interactive-auth/auth-sessions.js';
import { type PageFlow, PageProcess, type PagePurpose } from '../interactive-auth/page-process.js';
import { learntForAccount } from '../interactive-auth/learnt-for-account.js';
import { beginAgainPage, choicePage, closedPage, processDonePage } from '../pages/process-pages.js';
import { sendOn, showPage } from '#http/pages/show-page';
import { showView } from '../pages/show-view.js';
import { RegistrationRules } from '../registration-rules.js';
import { type SessionBody, sessionBody } from '../sessions/session-body.js';

const LOGIN = ['_matrix/static/client/login', `${V1}/login/fallback`];
const REGISTRATION = ['_matrix/static/client/register', `${V1}/register/fallback`];
const SSO = '_matrix/client/v3/login/sso/redirect';
const BROWSER_SECONDS = 60 * 60;

/** What of the query goes along with a person. Never credentials: those would end up in logs. */
const GOES_ALONG = ['device_id', 'initial_device_display_name', 'refresh_token'] as const;

/** A request to one of these pages. */
interface Visit {
  readonly purpose: PagePurpose;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
}

/**
 * Pages that perform a whole log-in or registration, for clients that know none of its flows (2015, "Fallback"; client-server API, "Login
 * fallback"). They need no script, but where a captcha is one; at their end one hands the session to the client.
 */
@UseFilters(ErrorPageFilter)
@Controller()
export class ProcessPagesController {
  readonly #cookie: BrowserCookie;

  constructor(
    private readonly commands: CommandBus,
    private readonly process: PageProcess,
    private readonly rules: RegistrationRules,
    private readonly limits: RateLimits,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName' | 'publicUrl'>,
  ) {
    this.#cookie = new BrowserCookie('annals-pages', config.publicUrl);
  }

  @RateLimited('default')
  @Get(LOGIN)
  login(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    return this.#show({ purpose: 'login', request, reply });
  }

  @RateLimited('default')
  @Get(REGISTRATION)
  register(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    return this.#show({ purpose: 'registration', request, reply });
  }

  @RateLimited('login')
  @HttpCode(200)
  @Post(LOGIN)
  goOnLogin(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    return this.#goOn({ purpose: 'login', request, reply });
  }

  @RateLimited('registration')
  @HttpCode(200)
  @Post(REGISTRATION)
  goOnRegistering(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    return this.#goOn({ purpose: 'registration', request, reply });
  }

  async #show(visit: Visit): Promise<string> {
    const { purpose, request, reply } = visit;
    const { searchParams } = urlOf(request);
    if (searchParams.has('session')) {
      const session = await this.#find(visit);
      if (session === undefined) return showPage(reply, beginAgainPage(purpose, linkTo(request, {})));
      const token = searchParams.get('loginToken');
      if (token !== null && this.process.isTokenNext(session)) {
        // By no form, but as good as one that is posted.
        this.limits.checkRequest('login', request);
        return this.#take(visit, session, { token });
      }
      if (!isOfStage(session, request)) return sendOn(reply, placeOf(request, session));
      return showView(reply, await this.process.view(session, { path: request.url }));
    }
    try {
      const flows = this.process.flowsFor(purpose);
      const chosen = searchParams.get('flow') ?? (flows.length === 1 ? '0' : '');
      const flow = /^\d{1,3}$/.test(chosen) ? flows[Number(chosen)] : undefined;
      if (flow !== undefined) return this.#begin(visit, flow);
      return showPage(
        reply,
        choicePage(purpose, flows, (n) => linkTo(request, { flow: String(n) })),
      );
    } catch (error) {
      if (!(error instanceof MatrixError) || error.errcode !== 'M_FORBIDDEN') throw error;
      return showPage(reply, closedPage(purpose, error.message));
    }
  }

  #begin({ purpose, request, reply }: Visit, flow: PageFlow): string {
    const browser = this.#cookie.find(request) ?? randomBytes(18).toString('base64url');
    this.#cookie.put(reply, browser, BROWSER_SECONDS);
    const session = this.process.open(purpose, flow, browser);
    const here = placeOf(request, session);
    if (flow.bySso !== true) return sendOn(reply, here);
    const { pathname } = urlOf(request);
    const redirectUrl = `${this.config.publicUrl}${pathname}${here}`;
    return sendOn(reply, `${this.config.publicUrl}/${SSO}?${new URLSearchParams({ redirectUrl }).toString()}`);
  }

  async #goOn(visit: Visit): Promise<string> {
    const { purpose, request, reply } = visit;
    const session = await this.#find(visit);
    if (session === undefined) return showPage(reply, beginAgainPage(purpose, linkTo(request, {})));
    if (!isOfStage(session, request)) return sendOn(reply, placeOf(request, session));
    return this.#take(visit, session, Object.fromEntries(readForm(request)));
  }

  /** What somebody sent; at the end they have their session, and else the next page. */
  async #take({ purpose, request, reply }: Visit, session: AuthSession, form: JsonObject): Promise<string> {
    try {
      const step = await this.process.step(session, form, request);
      if (!step.isDone) return sendOn(reply, placeOf(request, session));
      const answer = await this.#finish(session, form, request);
      return showPage(reply, processDonePage(purpose, answer));
    } catch (error) {
      if (!(error instanceof MatrixError) || error.status >= 500) throw error;
      return showView(reply, await this.process.view(session, { path: request.url, problem: error.message }));
    }
  }

  async #finish(session: AuthSession, form: JsonObject, request: FastifyRequest): Promise<SessionBody> {
    const { serverName } = this.config;
    const { learnt, operation } = session;
    const { searchParams } = urlOf(request);
    const options = {
      deviceId: searchParams.get('device_id') ?? undefined,
      initialDeviceDisplayName: searchParams.get('initial_device_display_name') ?? undefined,
      refreshToken: searchParams.get('refresh_token') === 'true',
    };
    if (operation.purpose === 'login') {
      await this.process.spend(session);
      const loggedIn = await this.commands.execute(new LogIn(learnt, options, request.id));
      return sessionBody(loggedIn.userId, serverName, loggedIn);
    }
    const { user, password } = form;
    if (typeof user !== 'string' || typeof password !== 'string') {
      throw new MatrixError('M_MISSING_PARAM', 'A user name and a password are required');
    }
    await this.rules.checkWanted(user, password);
    await this.process.spend(session);
    const account = await this.commands.execute(
      new RegisterAccount({
        username: user,
        via: this.rules.via,
        password,
        ...learntForAccount(learnt),
        session: options,
        requestId: request.id,
      }),
    );
    return sessionBody(account.userId, serverName, account.session);
  }

  async #find({ purpose, request }: Visit): Promise<AuthSession | undefined> {
    const browser = this.#cookie.find(request);
    const id = urlOf(request).searchParams.get('session');
    return browser === undefined || id === null ? undefined : this.process.find(purpose, id, browser);
  }
}

const urlOf = ({ url }: FastifyRequest): URL => new URL(url, 'http://here');

/** To the same page, with another query. */
function linkTo(request: FastifyRequest, query: Readonly<Record<string, string>>): string {
  const { searchParams } = urlOf(request);
  const along = GOES_ALONG.flatMap((key): [string, string][] => {
    const value = searchParams.get(key);
    return value === null ? [] : [[key, value]];
  });
  return `?${new URLSearchParams([...Object.entries(query), ...along]).toString()}`;
}

/** Where a session is gone on with: each stage has a place of its own. */
function placeOf(request: FastifyRequest, session: AuthSession): string {
  return linkTo(request, { session: session.id, step: stepOf(session) });
}

/** A form that is sent twice, or by another window, is of a stage that is passed by then; so is a page that somebody goes back to, and what they would send from there. */
function isOfStage(session: AuthSession, request: FastifyRequest): boolean {
  return [null, stepOf(session)].includes(urlOf(request).searchParams.get('step'));
}

const stepOf = ({ completed }: AuthSession): string => String(completed.length);
