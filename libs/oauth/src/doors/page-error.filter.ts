import { type ArgumentsHost, Catch } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { ErrorFilter } from '#http/error-filter';
import { MatrixError } from '#kernel/matrix-error';
import { OAuthError } from '../oauth-error.js';
import { notePage } from '../pages/link-page.js';
import { showPage } from '#http/pages/show-page';

/** Refusals of the pages, for people to read. What is no refusal is answered as everywhere; a page that is not there as well. */
@Catch()
export class PageErrorFilter extends ErrorFilter {
  override catch(thrown: unknown, host: ArgumentsHost): void {
    const isRefusal = thrown instanceof MatrixError && thrown.status < 500 && thrown.errcode !== 'M_UNRECOGNIZED';
    if (!isRefusal && !(thrown instanceof OAuthError)) return super.catch(thrown, host);
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    const page = notePage('This does not go', thrown.message);
    void reply.send(showPage(reply, page, thrown instanceof OAuthError ? 400 : thrown.status));
  }
}
