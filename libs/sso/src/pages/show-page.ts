import type { FastifyReply } from 'fastify';
import type { HtmlPage } from '#accounts/pages/html-page';
import { MatrixError } from '#kernel/matrix-error';
import { problemPage } from './sso-pages.js';

/** Sends a page, which nobody keeps, and of whose address no other page hears. */
export function showPage(reply: FastifyReply, page: HtmlPage): string {
  void reply
    .header('content-security-policy', page.contentSecurityPolicy)
    .header('cache-control', 'no-store')
    .header('referrer-policy', 'no-referrer')
    .header('x-content-type-options', 'nosniff')
    .type('text/html; charset=utf-8');
  return page.html;
}

/** Sends the browser elsewhere. */
export function goTo(reply: FastifyReply, url: string): string {
  void reply
    .status(302)
    .header('location', url)
    .header('cache-control', 'no-store')
    .header('referrer-policy', 'no-referrer');
  return '';
}

/** Shows what `show` answers; a refusal as a page, for who looks at it is a person. */
export async function showOrTell(reply: FastifyReply, show: () => Promise<string>): Promise<string> {
  try {
    return await show();
  } catch (error) {
    if (!(error instanceof MatrixError)) throw error;
    void reply.status(error.status);
    return showPage(reply, problemPage(error.message));
  }
}
