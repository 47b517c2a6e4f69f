import { Inject, Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { FastifyReply } from 'fastify';
import { LogIn } from '#accounts/commands/log-in';
import type { AuthSession } from '#accounts/interactive-auth/auth-sessions';
import { InteractiveAuth } from '#accounts/interactive-auth/interactive-auth';
import { isLast } from '#accounts/interactive-auth/session-progress';
import { SteppedAuth } from '#accounts/interactive-auth/stepped-auth';
import { stageDonePage } from '#accounts/pages/stage-page';
import { CONFIG, type Config } from '#config/config';
import type { UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { Shown } from '../attempts/attempt.js';
import { BackToClients } from '../attempts/back-to-clients.js';
import { shownOf } from '../attempts/client-url.js';
import { showPage } from '#http/pages/show-page';
import { goTo } from '../pages/show-or-tell.js';
import { approveOperationPage, confirmClientPage, detailsPage, goOnPage } from '../pages/sso-pages.js';
import type { PageOf, Progress } from '../upstream-logins.js';

const OAUTH2 = 'm.login.oauth2';

/** Who has shown that they are it, and where. */
type Who = Pick<Shown, 'userId' | 'upstream'>;

/** What is answered. */
export interface Answering {
  readonly reply: FastifyReply;
  readonly requestId: string;
  /** A form was sent, whose answer may lead to no other server (its Content-Security-Policy). */
  readonly isForm?: boolean;
}

/** What a browser is answered with that is back from a provider: a page, or whatever waits for who it is. */
@Injectable()
export class AnswerProgress {
  constructor(
    private readonly commands: CommandBus,
    private readonly auth: InteractiveAuth,
    private readonly stepped: SteppedAuth,
    private readonly clients: BackToClients,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName' | 'publicUrl'>,
  ) {}

  async answer(progress: Progress, answering: Answering): Promise<string> {
    const { page } = progress;
    const link = (name: string): string => linkTo(name, page, answering);
    if (progress.step === 'asking') {
      const asks = { ...progress.asks, serverName: this.config.serverName };
      return showPage(answering.reply, detailsPage(link('details'), asks));
    }
    const { userId, upstream, purpose } = progress;
    switch (purpose.kind) {
      case 'client':
        return this.#toClient({ userId, upstream }, new URL(purpose.redirectUrl), link('continue'), answering);
      case 'own':
      case 'confirmation':
      case 'link':
        return goTo(answering.reply, this.#returnUrl(purpose.returnTo, page));
      case 'stage':
        return this.#askFor(userId, purpose.session, link('confirm'), answering);
      case 'v1':
        return this.#answerV1({ userId, upstream }, purpose.session, link('confirm'), answering);
    }
  }

  /** The URL of a path of this server to which somebody comes back who has shown who they are: it takes that by the `id` and `key` of its query. */
  #returnUrl(path: string, page: PageOf): string {
    const url = new URL(`${this.config.publicUrl}${path.startsWith('/') ? path : `/${path}`}`);
    for (const [name, value] of Object.entries(page)) url.searchParams.set(name, value);
    return url.href;
  }

  /** Sends the browser back to a client, with a token. */
  async backToClient(who: Who, url: URL, { reply, requestId }: Answering): Promise<string> {
    return goTo(reply, await this.clients.urlFor(who, url, requestId));
  }

  async #toClient(who: Who, url: URL, link: string, answering: Answering): Promise<string> {
    if (!this.clients.isTrusted(url))
      return showPage(answering.reply, confirmClientPage(who.userId, shownOf(url), link));
    if (answering.isForm !== true) return this.backToClient(who, url, answering);
    void answering.reply.header('refresh', `0;url=${link}`);
    return showPage(answering.reply, goOnPage(link));
  }

  /** Completes the stage of who has said yes to what they were asked once they had shown who they are. Throws M_FORBIDDEN, M_NOT_FOUND. */
  async completeStage(userId: UserId, sessionId: string, { reply }: Answering): Promise<string> {
    const session = await this.#sessionOf(userId, sessionId);
    await this.auth.completeElsewhere(session, 'm.login.sso', { userId });
    return showPage(reply, stageDonePage());
  }

  /** A provider may send somebody back whom it asked nothing, and who came by a link that others made: so they read here what it is for. */
  async #askFor(userId: UserId, sessionId: string, action: string, { reply }: Answering): Promise<string> {
    const { operation } = await this.#sessionOf(userId, sessionId);
    return showPage(reply, approveOperationPage({ userId, operation: operation.name, action }));
  }

  async #sessionOf(userId: UserId, id: string): Promise<AuthSession> {
    const session = await this.auth.getSession(id);
    if (session.operation.userId === userId) return session;
    throw new MatrixError('M_FORBIDDEN', 'This is not the account that asks');
  }

  /**
   * The credentials are the answer to this browser, and to nobody else. Where stages come behind this one whoever began goes on, and may have
   * had somebody else open the link: so they are asked before.
   */
  async #answerV1(who: Who, sessionId: string, action: string, answering: Answering): Promise<string> {
    const session = await this.auth.getSession(sessionId);
    if (isLast(session, OAUTH2)) return this.completeV1(who, sessionId, answering);
    const { name: operation } = session.operation;
    return showPage(answering.reply, approveOperationPage({ userId: who.userId, operation, action }));
  }

  /**
   * "MUST respond with either new credentials, the next stage of the login process, or a standard error response." Throws M_FORBIDDEN,
   * M_NOT_FOUND.
   */
  async completeV1(who: Who, sessionId: string, { reply, requestId }: Answering): Promise<string> {
    const session = await this.auth.getSession(sessionId);
    const step = await this.stepped.advance(session, OAUTH2, who);
    void reply.type('application/json').header('cache-control', 'no-store').header('referrer-policy', 'no-referrer');
    if (!step.isDone) return JSON.stringify(step.answer);
    await this.stepped.spend(step.session);
    const { tokens } = await this.commands.execute(new LogIn(step.session.learnt, {}, requestId));
    const { serverName } = this.config;
    return JSON.stringify({ user_id: who.userId, access_token: tokens.access_token, home_server: serverName });
  }
}

function linkTo(name: string, page: Progress['page'], { isForm }: Answering): string {
  // Relative to where the browser is, whatever is before this server.
  return `${isForm === true ? '.' : '..'}/${name}?${new URLSearchParams({ ...page }).toString()}`;
}
