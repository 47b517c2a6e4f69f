import { Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { hashSecret } from '#accounts/credentials/secrets';
import type { AuthSession } from '#accounts/interactive-auth/auth-sessions';
import { PageProcess } from '#accounts/interactive-auth/page-process';
import type { StageView } from '#accounts/interactive-auth/stage';
import { readForm } from '#http/browser/read-form';
import { MatrixError } from '#kernel/matrix-error';
import type { Browser, Shown } from './browsers.js';
import { SignInWays } from './sign-in-ways.js';

/** What came of a step: who somebody has shown to be, or what they see now; neither: the page of the next stage is to be asked for. */
export type SignInStep = { readonly shown: Shown } | { readonly view: StageView } | undefined;

/**
 * Sign-ins that take several stages (`ANNALS_LOGIN_FLOWS`), by the same pages as the log-ins of clients: who signs in here lets applications in, so that
 * it asks for no less. Each is of the browser in which it was begun.
 */
@Injectable()
export class SteppedSignIns {
  constructor(
    private readonly process: PageProcess,
    private readonly ways: SignInWays,
  ) {}

  /** Begins one, by a way that is offered, and answers its id; undefined where the number is none of these. */
  begin(number: string | undefined, browser: Browser): string | undefined {
    const way = this.ways.context.ways.find((one) => String(one.number) === number);
    const flow = way && this.process.ownLogins()[way.number];
    return flow && this.process.open('login', flow, nameOf(browser)).id;
  }

  /** One that was begun in this browser; undefined where it is over. */
  find(id: string, browser: Browser): Promise<AuthSession | undefined> {
    return this.process.find('login', id, nameOf(browser));
  }

  /** The page of the stage that comes next. */
  view(session: AuthSession, path: string): StageView | Promise<StageView> {
    return this.process.view(session, { path });
  }

  /** Takes what the page of the stage that comes next has sent; behind the last one the session is spent. */
  async step(session: AuthSession, request: FastifyRequest): Promise<SignInStep> {
    try {
      const step = await this.process.step(session, Object.fromEntries(readForm(request)), request);
      if (!step.isDone) return undefined;
      await this.process.spend(session);
    } catch (error) {
      if (!(error instanceof MatrixError) || error.status >= 500) throw error;
      return { view: await this.process.view(session, { path: request.url, problem: error.message }) };
    }
    const { userId, passwordHash, upstream } = session.learnt;
    if (userId === undefined) throw new Error('the stages of a sign-in have not said whose account it is');
    return { shown: { userId, passwordHash, upstream } };
  }
}

/** The cookie may sign somebody in, so no session holds it. */
const nameOf = ({ cookie }: Browser): string => `sign-in ${hashSecret(cookie)}`;
