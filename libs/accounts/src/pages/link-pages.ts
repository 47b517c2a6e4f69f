import { escapeHtml } from '#kernel/escape-html';
import type { ValidationLink, ValidationPurpose } from '../threepids/validation-links.js';
import { type HtmlPage, htmlPage } from '#http/pages/html-page';

const ASKS: Readonly<Record<ValidationPurpose, string>> = {
  registration: 'Is this your address, and do you want it for a new account',
  addition: 'Is this your address, and do you want to add it to your account',
  recovery: 'Do you want to choose a new password for your account',
  login: 'Do you want to log in to your account',
};

/** What a link in a mail shows: a question of a server, and one button. */
export function linkPage({ purpose, threepid }: ValidationLink, serverName: string): HtmlPage {
  const body = `<p><strong>${escapeHtml(threepid.address)}</strong></p>
<p>${ASKS[purpose]} on <strong>${escapeHtml(serverName)}</strong>?</p>
<p>If you asked for nothing of the kind, close this page.</p>
<form method="post"><button>Yes</button></form>`;
  return htmlPage('Confirm', body);
}

/** Where else the client wanted the person to go is no more than a link, which says where it leads: anybody may have asked for the mail. NOTSPEC: they are to be redirected. */
export function linkConfirmedPage({ nextLink }: ValidationLink): HtmlPage {
  const next =
    nextLink === undefined
      ? ''
      : `<p><a href="${escapeHtml(nextLink)}" rel="noreferrer">Go on to ${escapeHtml(new URL(nextLink).host)}</a></p>`;
  return htmlPage('Thank you', `<p>You can go back to your application now, and close this page.</p>${next}`);
}

export function linkOverPage(): HtmlPage {
  return htmlPage(
    'This link holds no more',
    '<p role="alert">Its time is over, or it was used. Have another mail sent.</p>',
  );
}
