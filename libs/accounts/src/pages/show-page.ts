import type { FastifyReply } from 'fastify';
import type { StageView } from '../interactive-auth/stage.js';
import type { HtmlPage } from './html-page.js';

/** Answers with a page, under its policy: kept nowhere, and no other site is told its address. */
export function showPage(reply: FastifyReply, page: HtmlPage): string {
  void reply
    .header('content-security-policy', page.contentSecurityPolicy)
    .header('cache-control', 'no-store')
    .header('referrer-policy', 'no-referrer')
    .type('text/html; charset=utf-8');
  return page.html;
}

/** As `showPage`, or sends the browser where the stage is passed. */
export function showView(reply: FastifyReply, view: StageView): string {
  if ('page' in view) return showPage(reply, view.page);
  void reply.status(302).header('location', view.redirectTo).header('cache-control', 'no-store');
  return '';
}
