import type { HtmlPage } from '#http/pages/html-page';
import { escapeHtml } from '#kernel/escape-html';
import { PAGES } from '../oauth-paths.js';
import { unframedPage, problemNote } from './unframed-page.js';

/** Where somebody types the code that a device shows them. */
export function linkPage(problem?: string): HtmlPage {
  return unframedPage(
    'Sign a device in',
    `<form method="get" action="${PAGES.link}">${problemNote(problem)}
<label for="user_code">The code that the device shows</label>
<input id="user_code" name="user_code" autocomplete="one-time-code" autocapitalize="characters" spellcheck="false" placeholder="ABCD-EFGH" required>
<button>Continue</button></form>`,
  );
}

/** A page that says something and asks nothing. */
export function notePage(title: string, text: string): HtmlPage {
  return unframedPage(title, `<p>${escapeHtml(text)}</p>`);
}
