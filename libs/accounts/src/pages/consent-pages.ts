import type { TermsDocument } from '#config/terms/read-terms';
import { type HtmlPage, htmlPage } from '#http/pages/html-page';
import { escapeHtml } from '#kernel/escape-html';
import { termsFields } from './terms-fields.js';

/** Asks somebody to accept documents that are new, or newer than what they accepted. `formToken`: a field of the form. */
export function consentPage(of: {
  readonly userId: string;
  readonly documents: readonly TermsDocument[];
  readonly formToken: string;
  readonly problem?: string;
}): HtmlPage {
  const alert = of.problem === undefined ? '' : `<p role="alert">${escapeHtml(of.problem)}</p>`;
  return htmlPage(
    'Terms of this server',
    `<p>Please accept them for your account <strong>${escapeHtml(of.userId)}</strong>.</p>
<form method="post">${alert}${of.formToken}${termsFields(of.documents)}<button>Accept</button></form>`,
    undefined,
    { isNeverFramed: true },
  );
}

/** Nothing is left to be accepted. */
export function consentGivenPage(): HtmlPage {
  return htmlPage('Thank you', '<p>You can go back to your application now, and close this page.</p>');
}
