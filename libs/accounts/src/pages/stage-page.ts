import { escapeHtml } from '#kernel/escape-html';
import { type HtmlPage, htmlPage, type PageRules } from '#http/pages/html-page';

/** The form of a stage, which is posted to where the page is. */
export interface StageForm {
  readonly title: string;
  /** HTML, everything foreign in it escaped: the fields and what is said about them. */
  readonly fields?: string;
  /** What stands on the button. */
  readonly action?: string;
  /** Why the last attempt failed. */
  readonly problem?: string;
  readonly rules?: PageRules;
}

/** Where somebody types their mail address. */
export const EMAIL_INPUT =
  '<label for="email">Mail address</label>' +
  '<input id="email" name="email" type="email" autocomplete="email" maxlength="254" required>';

/** Where somebody types their phone number, and of which country it is. */
export const PHONE_INPUT =
  '<label for="country">Country (two letters, such as DE)</label>' +
  '<input id="country" name="country" autocomplete="country" minlength="2" maxlength="2" pattern="[A-Za-z]{2}" required>' +
  '<label for="phone_number">Phone number</label>' +
  '<input id="phone_number" name="phone_number" type="tel" autocomplete="tel" maxlength="32" required>';

/** Where somebody types a code that they were sent. */
export const CODE_INPUT =
  '<label for="code">Code</label><input id="code" name="code" inputmode="numeric" autocomplete="one-time-code" maxlength="16" required>';

/** Where somebody goes who has mistyped where a code or a link was to be sent, or gets none; '' where that is the business of their application. */
export const beginAgain = (again: string | undefined): string =>
  again === undefined
    ? ''
    : `<p class="note">Nothing comes, or it went elsewhere? <a href="${escapeHtml(again)}">Begin again</a></p>`;

/** The same page, with nothing begun. */
export function anewAt(path: string): string {
  const { pathname, searchParams } = new URL(path, 'http://here');
  for (const key of ['session', 'step']) searchParams.delete(key);
  return `${pathname}?${searchParams.toString()}`;
}

/** The script that the specification prescribes for the end of a stage (client-server API, "Fallback"). */
const DONE = `
if (window.onAuthDone) {
  window.onAuthDone();
} else if (window.opener && window.opener.postMessage) {
  window.opener.postMessage('authDone', '*');
}
`;

export function stagePage({ title, fields = '', action = 'Continue', problem, rules }: StageForm): HtmlPage {
  const alert = problem === undefined ? '' : `<p role="alert">${escapeHtml(problem)}</p>`;
  return htmlPage(
    title,
    `<form method="post">${alert}${fields}<button>${escapeHtml(action)}</button></form>`,
    undefined,
    rules,
  );
}

/** What is shown of a stage that is passed by what was shown to an identity server alone: this server sends nothing by itself. */
export function shownElsewherePage(title: string): HtmlPage {
  return htmlPage(
    title,
    '<p>This server sends nothing that shows it. Go on in an application that speaks to your identity server.</p>',
  );
}

/** What is shown once the stage is complete: it tells the client. */
export function stageDonePage(): HtmlPage {
  return htmlPage('Thank you', '<p>You can go back to your application now.</p>', DONE);
}

/** What is shown where there is nothing to go on with: also to who was away for long, and comes back from where the stage had sent them. */
export function stageOverPage(): HtmlPage {
  const begin = 'Its time is over, or it has come to its end. Begin again in your application.';
  return htmlPage('This page holds no more', `<p role="alert">${begin}</p>`);
}
