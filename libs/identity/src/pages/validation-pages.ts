import { type HtmlPage, htmlPage } from '#http/pages/html-page';
import { MEDIA, type Threepid } from '#accounts/threepids/threepid';
import { escapeHtml } from '#kernel/escape-html';
import type { UserId } from '#kernel/ids';

/** What is asked about on a page, and by which server. */
export interface AskedAbout {
  readonly threepid: Threepid;
  /** Who asked for it; absent where nobody is known. */
  readonly userId?: UserId;
  readonly serverName: string;
}

/** What a link shows: a question, and one button. `action`: where its form leads, a URL that is relative to the page. */
export function validationPage({ threepid, userId, serverName }: AskedAbout, action: string): HtmlPage {
  const { called, write } = MEDIA[threepid.medium];
  const who = userId === undefined ? 'Somebody' : `<strong>${escapeHtml(userId)}</strong>`;
  const body = `<p>${who} wants to be found on Matrix, through the identity server <strong>${escapeHtml(serverName)}</strong>, by</p>
<p><strong>${escapeHtml(write(threepid.address))}</strong></p>
<p>Is this your ${called}${userId === undefined ? '' : ', and is that you'}?</p>
<p>If you asked for nothing of the kind, close this page.</p>
<form method="post" action="${escapeHtml(action)}"><button>Yes</button></form>`;
  return htmlPage('Confirm', body, undefined, { isNeverFramed: true });
}

/**
 * Where else the client wanted the person to go (`next_link`) is no more than a link, which says where it leads: anybody may have asked for the mail. NOTSPEC: they are to be
 * redirected there.
 */
export function validatedPage(nextLink: string | undefined): HtmlPage {
  const next =
    nextLink === undefined
      ? ''
      : `<p><a href="${escapeHtml(nextLink)}" rel="noreferrer">Go on to ${escapeHtml(new URL(nextLink).host)}</a></p>`;
  return htmlPage('Thank you', `<p>You can go back to your application now, and close this page.</p>${next}`);
}

export function validationOverPage(): HtmlPage {
  return htmlPage('This link holds no more', '<p role="alert">Its time is over. Have another one sent.</p>');
}
