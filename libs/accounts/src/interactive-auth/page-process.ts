import { Injectable } from '@nestjs/common';
import type { LimitedRequest } from '#http/rate-limits';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { RegistrationRules } from '../registration-rules.js';
import { type AuthSession, AuthSessions } from './auth-sessions.js';
import { type Flow, Flows } from './flows.js';
import { nextStages } from './session-progress.js';
import type { PageContext, StageView } from './stage.js';
import { StageRegistry } from './stage-registry.js';
import { anewAt } from '../pages/stage-page.js';
import { type Step, SteppedAuth } from './stepped-auth.js';

/** What somebody goes through on pages from the beginning to the end. */
export type PagePurpose = 'login' | 'registration';

/** A way through it. `bySso`: one that begins at another page, which sends the browser back with a login token. */
export interface PageFlow {
  /** For who chooses among several. */
  readonly name: string;
  readonly stages: Flow;
  readonly bySso?: true;
}

const SSO = 'm.login.sso';
const TOKEN = 'm.login.token';
const PASSWORD = 'm.login.password';
/** Stages of API v1 whose answer is no page: on pages there is single sign-on for the same. */
const NOT_ON_PAGES: ReadonlySet<string> = new Set(['m.login.oauth2', TOKEN]);

/**
 * Whole log-ins and registrations on pages, stage by stage (2015, "Fallback"; client-server API, "Login fallback"). A session of theirs is of the browser in
 * which it was begun, so that nobody has somebody else go through stages for them. The registrations of the account page (`SignUps` of libs/oauth) are none of these: they go
 * through the stages of today, and none of them does the work.
 */
@Injectable()
export class PageProcess {
  constructor(
    private readonly sessions: AuthSessions,
    private readonly stepped: SteppedAuth,
    private readonly stages: StageRegistry,
    private readonly flows: Flows,
    private readonly rules: RegistrationRules,
  ) {}

  /** The ways there are. Throws M_FORBIDDEN where there is none. */
  flowsFor(purpose: PagePurpose): readonly PageFlow[] {
    const offered = purpose === 'login' ? this.flows.toLogIn('v1') : this.rules.getFlows('v1');
    if (offered.length === 0) throw new MatrixError('M_FORBIDDEN', 'Nobody logs in here');
    const own = this.#ownOf(purpose, offered);
    return this.isBySso ? [...own, { name: this.#nameOf('login', [TOKEN]), stages: [TOKEN], bySso: true }] : own;
  }

  /** Those of a log-in that are gone through on pages of this server alone. */
  ownLogins(): readonly PageFlow[] {
    return this.#ownOf('login', this.flows.toLogIn('v1'));
  }

  /** Whether an account elsewhere is all that somebody needs to log in. */
  get isBySso(): boolean {
    return this.flows.toLogIn('today').some((flow) => flow.length === 1 && flow[0] === SSO);
  }

  /** Begins one, for a browser. Single sign-on makes accounts by itself, and comes back with a token: whatever it was for, it is a log-in here. */
  open(purpose: PagePurpose, { stages, bySso }: PageFlow, browser: string): AuthSession {
    const name = nameFor(purpose, browser);
    const operation = {
      name,
      purpose: bySso === true ? 'login' : purpose,
      flows: [stages],
      isOfBrowser: true,
    } as const;
    return this.sessions.open(operation, {});
  }

  /** The session that a browser goes through; undefined where it is none of its own, or over. */
  async find(purpose: PagePurpose, id: string, browser: string): Promise<AuthSession | undefined> {
    const session = await this.sessions.find(id);
    return session?.operation.name === nameFor(purpose, browser) ? session : undefined;
  }

  /** The page of the stage that comes next. */
  view(session: AuthSession, context: Omit<PageContext, 'session'>): StageView | Promise<StageView> {
    return this.stages.get(this.#next(session)).view({ again: anewAt(context.path), ...context, session });
  }

  /** Takes what was sent on that page. Throws what the stage refuses it with. */
  step(session: AuthSession, form: JsonObject, asker: LimitedRequest): Promise<Step> {
    return this.stepped.step(session.operation, { ...form, type: this.#next(session), session: session.id }, asker);
  }

  /** Whether a login token is what comes next, which no form brings: the browser is sent back with it. */
  isTokenNext(session: AuthSession): boolean {
    return this.#next(session) === TOKEN;
  }

  /** Ends a session whose work is to be done now. Throws as `SteppedAuth.spend`. */
  spend(session: AuthSession): Promise<void> {
    return this.stepped.spend(session);
  }

  #ownOf(purpose: PagePurpose, flows: readonly Flow[]): PageFlow[] {
    return flows
      .filter((flow) => !flow.some((type) => NOT_ON_PAGES.has(type)))
      .map((stages) => ({ name: this.#nameOf(purpose, stages), stages }));
  }

  /** By what tells it from others: of a registration all that is shown of oneself besides the password, which each has at its end. */
  #nameOf(purpose: PagePurpose, flow: Flow): string {
    const stages = flow.map((type) => this.stages.get(type));
    if (purpose === 'login') return `With ${stages.map(({ way, type }) => way ?? type).join(' and ')}`;
    const ways = stages.flatMap(({ type, way, showsNobody }) =>
      way === undefined || showsNobody === true || type === PASSWORD ? [] : [way],
    );
    return `With ${ways.length === 0 ? 'a password alone' : ways.join(' and ')}`;
  }

  #next(session: AuthSession): string {
    const [next] = nextStages(session);
    if (next === undefined) throw new MatrixError('M_FORBIDDEN', 'Begin again');
    return next;
  }
}

const nameFor = (purpose: PagePurpose, browser: string): string => `page of ${purpose} ${browser}`;
