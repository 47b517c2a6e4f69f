import type { FastifyReply } from 'fastify';
import type { HtmlPage } from './html-page.js';

/**
 * Sends a page, under its policy. It is kept nowhere, and where it is, with what is in its query, is told to none. One that is never framed no other site's script reads either
 * (RFC 9700, section 2.1).
 */
export function showPage(
  reply: FastifyReply,
  { html, contentSecurityPolicy, isNeverFramed }: HtmlPage,
  status = 200,
): string {
  void reply
    .status(status)
    .header('content-security-policy', contentSecurityPolicy)
    .header('cache-control', 'no-store')
    .header('referrer-policy', 'no-referrer')
    .header('x-content-type-options', 'nosniff')
    .type('text/html; charset=utf-8');
  if (isNeverFramed === true) void reply.removeHeader('access-control-allow-origin').header('x-frame-options', 'DENY');
  return html;
}

/** Sends the browser on, to be asked for with GET whatever came before. */
export function sendOn(reply: FastifyReply, to: string, status: 302 | 303 = 303): string {
  void reply
    .status(status)
    .header('location', to)
    .header('cache-control', 'no-store')
    .header('referrer-policy', 'no-referrer');
  if (status === 303) void reply.removeHeader('access-control-allow-origin');
  return '';
}
