import { Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { FastifyRequest } from 'fastify';
import { RegisterAccount } from '#accounts/commands/register-account';
import { hashSecret } from '#accounts/credentials/secrets';
import { type AuthSession, AuthSessions } from '#accounts/interactive-auth/auth-sessions';
import { InteractionRequired } from '#accounts/interactive-auth/interaction-required';
import { InteractiveAuth } from '#accounts/interactive-auth/interactive-auth';
import { learntForAccount } from '#accounts/interactive-auth/learnt-for-account';
import { isComplete, nextStages } from '#accounts/interactive-auth/session-progress';
import type { StageView } from '#accounts/interactive-auth/stage';
import { StageRegistry } from '#accounts/interactive-auth/stage-registry';
import { anewAt } from '#accounts/pages/stage-page';
import { RegistrationRules } from '#accounts/registration-rules';
import { readForm } from '#http/browser/read-form';
import type { UserId } from '#kernel/ids';
import type { Browser } from './browsers.js';

/** Asks for nothing. */
const DUMMY = 'm.login.dummy';

/**
 * Registrations by way of pages: the same stages as for clients that register by themselves. Name and password come last, so that no
 * password waits anywhere for the stages to be passed. Each is of the browser in which it was begun, so that nobody has somebody else go
 * through stages for them. Not a `PageProcess`: there the last stage of one flow, chosen among those of API v1, does the work; here no stage does, and which flow it is shows on the way.
 */
@Injectable()
export class SignUps {
  constructor(
    private readonly sessions: AuthSessions,
    private readonly auth: InteractiveAuth,
    private readonly stages: StageRegistry,
    private readonly rules: RegistrationRules,
    private readonly commands: CommandBus,
  ) {}

  /** Begins one, for a browser, and answers its id. Throws M_FORBIDDEN where registration is closed. */
  begin(browser: Browser): string {
    const flows = this.rules.getFlows();
    const operation = { name: nameFor(browser), purpose: 'registration', flows, isOfBrowser: true } as const;
    return this.sessions.open(operation, {}).id;
  }

  /** One that was begun in this browser; undefined where it is over, or something else was begun by that id. */
  async find(id: string, browser: Browser): Promise<AuthSession | undefined> {
    const session = await this.sessions.find(id);
    return session?.operation.name === nameFor(browser) ? session : undefined;
  }

  /** Whether nothing is missing but a name and a password. */
  isReady(session: AuthSession): boolean {
    return isComplete(session);
  }

  /** How many stages are passed that somebody sees. */
  stepOf({ completed }: AuthSession): string {
    return String(completed.filter((stage) => stage !== DUMMY).length);
  }

  /** The page of the stage that comes next; undefined where none is missing. */
  async nextView(session: AuthSession, path: string): Promise<StageView | undefined> {
    if (nextStages(session).includes(DUMMY)) await this.auth.completeElsewhere(session, DUMMY);
    const [next] = isComplete(session) ? [] : nextStages(session);
    return next === undefined ? undefined : this.stages.get(next).view({ session, path, again: anewAt(path) });
  }

  /** Takes what the page of the stage that comes next has sent; answers what it shows then, or undefined where it is passed. */
  async pass(session: AuthSession, request: FastifyRequest): Promise<StageView | undefined> {
    const [next] = nextStages(session);
    if (next === undefined) return undefined;
    const context = { session, path: request.url, again: anewAt(request.url) };
    try {
      const begun = await this.auth.completeOnPage(session, next, Object.fromEntries(readForm(request)), request);
      return begun === undefined ? undefined : await this.stages.get(next).view({ ...context, begun });
    } catch (error) {
      if (!(error instanceof InteractionRequired)) throw error;
      return this.stages.get(next).view({ ...context, problem: error.message });
    }
  }

  /** Makes the account, once. Throws as `RegisterAccount`. */
  async register(
    session: AuthSession,
    { username, password }: { readonly username: string; readonly password: string },
    requestId: string,
  ): Promise<UserId> {
    await this.rules.checkWanted(username, password);
    const { via } = this.rules;
    const account = { username, password, ...learntForAccount(session.learnt), via, requestId };
    const { userId } = await this.auth.doAndClose(session, () => this.commands.execute(new RegisterAccount(account)));
    return userId;
  }
}

/** The cookie may sign somebody in, so no session holds it. */
const nameFor = ({ cookie }: Browser): string => `sign-up with the browser ${hashSecret(cookie)}`;
