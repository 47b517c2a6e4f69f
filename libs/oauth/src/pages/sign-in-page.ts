import { escapeHtml, type HtmlPage } from '#accounts/pages/html-page';
import type { Browser } from '../browser/browsers.js';
import { PAGES } from '../oauth-paths.js';
import { accountPage, problemNote } from './show-page.js';

/** What the pages are made for on which somebody signs in, or gets an account. */
export interface SignInContext {
  readonly browser: Browser;
  /** The page of ours to which they go from there. */
  readonly to: string;
  readonly serverName: string;
  /** Whether people get accounts here by themselves. */
  readonly isOpen: boolean;
  /** What was typed before, and why it did not do. */
  readonly username?: string;
  readonly problem?: string;
}

/** Of the page on which a registration ends. */
export interface SignUpContext extends Omit<SignInContext, 'isOpen'> {
  /** This page, with its query: the form goes there. */
  readonly path: string;
}

const hidden = (name: string, value: string): string =>
  `<input type="hidden" name="${name}" value="${escapeHtml(value)}">`;
const linkTo = (page: string, to: string): string => escapeHtml(`${page}?${new URLSearchParams({ to }).toString()}`);

function userField(username: string | undefined): string {
  const value = username === undefined ? '' : ` value="${escapeHtml(username)}"`;
  return `<label for="username">User name</label>
<input id="username" name="username" autocomplete="username" autocapitalize="none" spellcheck="false" required${value}>`;
}

/** Where somebody shows that an account is theirs. */
export function signInPage({ browser, to, serverName, isOpen, username, problem }: SignInContext): HtmlPage {
  const other = isOpen ? `<p><a href="${linkTo(PAGES.signUp, to)}">Create an account</a></p>` : '';
  return accountPage(
    'Sign in',
    `<p>Your account at <strong>${escapeHtml(serverName)}</strong></p>
<form method="post" action="${PAGES.signIn}">${problemNote(problem)}${browser.formToken}${hidden('to', to)}
${userField(username)}
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required>
<button>Sign in</button></form>
${other}`,
  );
}

/** Where somebody chooses the name and the password of a new account. */
export function signUpPage({ browser, to, path, serverName, username, problem }: SignUpContext): HtmlPage {
  return accountPage(
    'Create an account',
    `<p>Your new account at <strong>${escapeHtml(serverName)}</strong></p>
<form method="post" action="${escapeHtml(path)}">${problemNote(problem)}${browser.formToken}
${userField(username)}
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="new-password" required>
<label for="repeated">Password, once more</label>
<input id="repeated" name="repeated" type="password" autocomplete="new-password" required>
<button>Create account</button></form>
<p><a href="${linkTo(PAGES.signIn, to)}">I have an account</a></p>`,
  );
}
