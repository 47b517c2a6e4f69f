import type { FastifyReply } from 'fastify';
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
