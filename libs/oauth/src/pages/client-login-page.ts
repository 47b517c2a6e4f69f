import type { HtmlPage } from '#http/pages/html-page';
import { escapeHtml } from '#kernel/escape-html';
import type { UserId } from '#kernel/ids';
import type { Browser } from '../browser/browsers.js';
import { PAGES } from '../oauth-paths.js';
import { unframedPage } from './unframed-page.js';

/** An application wants to be logged in: may it? `client`: where it is; `path`: this page, with its query. */
export function clientLoginPage(of: {
  readonly browser: Browser;
  readonly userId: UserId;
  readonly client: string;
  readonly scheme: string;
  readonly path: string;
}): HtmlPage {
  const path = escapeHtml(of.path);
  return unframedPage(
    'Log this application in?',
    `<p>You are <strong>${escapeHtml(of.userId)}</strong>. An application at <strong>${escapeHtml(of.client)}</strong> wants to use your account.</p>
<p>If you do not know it, or did not come here from it, close this page.</p>
<form method="post" action="${path}">${of.browser.formToken}<button>Continue</button></form>
<form method="post" action="${PAGES.signOut}">${of.browser.formToken}
<input type="hidden" name="to" value="${path}"><button>I am somebody else</button></form>`,
    of.scheme,
  );
}
