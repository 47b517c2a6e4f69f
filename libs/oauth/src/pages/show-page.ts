import type { FastifyReply } from 'fastify';
import { type HtmlPage, htmlPage } from '#accounts/pages/html-page';
import { escapeHtml } from '#kernel/escape-html';

/** A page for people to whom this server is to be nobody's frame: a click on it lets somebody in. */
export function accountPage(title: string, body: string, formsLeadTo?: string): HtmlPage {
  const leading = formsLeadTo === undefined ? {} : { formsLeadTo };
  return htmlPage(title, body, undefined, { isNeverFramed: true, ...leading });
}

/** Sends a page. No other site's script reads it (RFC 9700, section 2.1), and where it is, with what is in its query, is told to none. */
export function showPage(reply: FastifyReply, { html, contentSecurityPolicy }: HtmlPage, status = 200): string {
  void reply
    .status(status)
    .removeHeader('access-control-allow-origin')
    .header('content-security-policy', contentSecurityPolicy)
    .header('cache-control', 'no-store')
    .header('referrer-policy', 'no-referrer')
    .header('x-content-type-options', 'nosniff')
    .header('x-frame-options', 'DENY')
    .type('text/html; charset=utf-8');
  return html;
}

/** Sends the browser on, to be asked for with GET whatever came before. */
export function sendOn(reply: FastifyReply, to: string): string {
  void reply
    .status(303)
    .removeHeader('access-control-allow-origin')
    .header('location', to)
    .header('cache-control', 'no-store')
    .header('referrer-policy', 'no-referrer');
  return '';
}

/** What went wrong, for who sees the page to read. */
export function problemNote(problem: string | undefined): string {
  return problem === undefined ? '' : `<p role="alert">${escapeHtml(problem)}</p>`;
}
