import type { Stage } from '../interactive-auth/auth-sessions.js';
import { type HtmlPage, escapeHtml, htmlPage } from './html-page.js';

/** What a stage asks for: the name of the field and how it is shown. The dummy stage asks for nothing. */
const FIELDS: Readonly<Record<Stage, { readonly title: string; readonly input?: string }>> = {
  'm.login.dummy': { title: 'Please confirm' },
  'm.login.password': {
    title: 'Please confirm your password',
    input:
      '<label for="password">Password</label>' +
      '<input id="password" name="password" type="password" autocomplete="current-password" required>',
  },
  'm.login.registration_token': {
    title: 'Registration token',
    input: '<label for="token">Token</label><input id="token" name="token" autocomplete="off" maxlength="64" required>',
  },
};

/** The script that the specification prescribes for the end of a stage (client-server API, "Fallback"). */
const DONE = `
if (window.onAuthDone) {
  window.onAuthDone();
} else if (window.opener && window.opener.postMessage) {
  window.opener.postMessage('authDone', '*');
}
`;

/** Whether there is a page for a stage of this name. */
export function isStageWithPage(stage: string): stage is Stage {
  return Object.hasOwn(FIELDS, stage);
}

/** A form that is posted to where the page is; `problem` says why the last attempt failed. */
export function stagePage(stage: Stage, problem?: string): HtmlPage {
  const { title, input = '' } = FIELDS[stage];
  const alert = problem === undefined ? '' : `<p role="alert">${escapeHtml(problem)}</p>`;
  return htmlPage(title, `<form method="post">${alert}${input}<button>Continue</button></form>`);
}

/** What is shown when the stage is complete: it tells the client. */
export function stageDonePage(): HtmlPage {
  return htmlPage('Thank you', '<p>You can go back to your application now.</p>', DONE);
}
