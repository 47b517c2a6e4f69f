import { escapeHtml, type HtmlPage, htmlPage } from '#accounts/pages/html-page';

/** What a link in a mail shows: a question, and one button. `action`: where its form leads, a URL that is relative to the page. */
export function validationPage(address: string, action: string): HtmlPage {
  const body = `<p>${escapeHtml(address)}</p><p>Is this your address, and do you want to be found by it?</p>
<p>If you asked for nothing of the kind, close this page.</p>
<form method="post" action="${escapeHtml(action)}"><button>Yes</button></form>`;
  return htmlPage('Confirm', body, undefined, { isNeverFramed: true });
}

/** Where else the client wanted the person to go is no more than a link, which says where it leads: anybody may have asked for the mail. */
export function validatedPage(nextLink: string | undefined): HtmlPage {
  const next =
    nextLink === undefined
      ? ''
      : `<p><a href="${escapeHtml(nextLink)}" rel="noreferrer">Go on to ${escapeHtml(new URL(nextLink).host)}</a></p>`;
  return htmlPage('Thank you', `<p>You can go back to your application now, and close this page.</p>${next}`);
}

export function validationOverPage(): HtmlPage {
  return htmlPage('This link holds no more', '<p role="alert">Its time is over. Have another mail sent.</p>');
}
