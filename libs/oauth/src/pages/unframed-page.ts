import { type HtmlPage, htmlPage } from '#http/pages/html-page';
import { escapeHtml } from '#kernel/escape-html';

/** A page for people to whom this server is to be nobody's frame: a click on it lets somebody in. */
export function unframedPage(title: string, body: string, formsLeadTo?: string): HtmlPage {
  const leading = formsLeadTo === undefined ? {} : { formsLeadTo };
  return htmlPage(title, body, undefined, { isNeverFramed: true, ...leading });
}

/** What went wrong, for who sees the page to read. */
export function problemNote(problem: string | undefined): string {
  return problem === undefined ? '' : `<p role="alert">${escapeHtml(problem)}</p>`;
}
