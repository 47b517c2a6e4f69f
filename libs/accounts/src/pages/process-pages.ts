import { escapeHtml } from '#kernel/escape-html';
import type { SessionBody } from '../sessions/session-body.js';
import type { PageFlow, PagePurpose } from '../interactive-auth/page-process.js';
import { type HtmlPage, htmlPage } from '#http/pages/html-page';

const TITLES: Readonly<Record<PagePurpose, string>> = { login: 'Log in', registration: 'Create an account' };

/** Which of several ways somebody wants to go; each is a link by its number. */
export function choicePage(
  purpose: PagePurpose,
  flows: readonly PageFlow[],
  linkOf: (flow: number) => string,
): HtmlPage {
  const links = flows.map(({ name }, n) => `<li><a href="${escapeHtml(linkOf(n))}">${escapeHtml(name)}</a></li>`);
  return htmlPage(TITLES[purpose], `<ul class="list">${links.join('')}</ul>`);
}

/** Where a session is over, or was begun in another browser. */
export function beginAgainPage(purpose: PagePurpose, link: string): HtmlPage {
  return htmlPage(
    TITLES[purpose],
    `<p role="alert">This took too long, or was begun elsewhere.</p><p><a href="${escapeHtml(link)}">Begin again</a></p>`,
  );
}

export function closedPage(purpose: PagePurpose, why: string): HtmlPage {
  return htmlPage(TITLES[purpose], `<p role="alert">${escapeHtml(why)}</p>`);
}

/** The end: the client whose window it is gets the session (client-server API, "Login fallback"; registrations as clients have always been told). */
export function processDonePage(purpose: PagePurpose, session: SessionBody): HtmlPage {
  const answer = JSON.stringify(session).replaceAll('<', '\\u003c');
  const script = `
const answer = ${answer};
if (window.matrixLogin && window.matrixLogin.onLogin) {
  window.matrixLogin.onLogin(answer);
} else if (window.matrixRegistration && window.matrixRegistration.onRegistered) {
  window.matrixRegistration.onRegistered(answer.home_server, answer.user_id, answer.access_token);
}
`;
  const done = purpose === 'login' ? 'You are logged in' : 'There is an account for you';
  return htmlPage(
    'Welcome',
    `<p>${done} as ${escapeHtml(session.user_id)}. You can go back to your application now.</p>`,
    script,
  );
}
