import type { HtmlPage } from '#http/pages/html-page';
import { escapeHtml } from '#kernel/escape-html';
import type { ServerName } from '#kernel/ids';
import type { Browser } from '../browser/browsers.js';
import { PAGES } from '../oauth-paths.js';
import { unframedPage, problemNote } from './unframed-page.js';

/** What the pages are made for on which somebody signs in, or gets an account. */
export interface SignInContext {
  readonly browser: Browser;
  /** The page of ours to which they go from there. */
  readonly to: string;
  readonly serverName: ServerName;
  /** Whether people get accounts here by themselves. */
  readonly isOpen: boolean;
  /** Whether an account may have a mail address, by which it is found too. */
  readonly hasAddresses: boolean;
  /** Whether a password is all that it takes. */
  readonly isByPassword: boolean;
  /** The ways of several stages, or of others than a password. */
  readonly ways: readonly { readonly number: number; readonly name: string }[];
  /** Where people may have accounts besides. */
  readonly providers: readonly { readonly id: string; readonly name: string }[];
  /** What was typed before, and why it did not do. */
  readonly username?: string;
  readonly problem?: string;
}

/** Of the page on which a registration ends. */
export interface SignUpContext extends Omit<SignInContext, 'isOpen' | 'isByPassword' | 'ways'> {
  /** This page, with its query: the form goes there. */
  readonly path: string;
}

const hidden = (name: string, value: string): string =>
  `<input type="hidden" name="${name}" value="${escapeHtml(value)}">`;
const linkTo = (page: string, to: string): string => escapeHtml(`${page}?${new URLSearchParams({ to }).toString()}`);

function userField(username: string | undefined, label = 'User name'): string {
  const value = username === undefined ? '' : ` value="${escapeHtml(username)}"`;
  return `<label for="username">${label}</label>
<input id="username" name="username" autocomplete="username" autocapitalize="none" spellcheck="false" required${value}>`;
}

function linksTo(providers: SignInContext['providers'], to: string): string {
  const links = providers.map(
    ({ id, name }) =>
      `<li><a href="${linkTo(`${PAGES.signInWith}/${id}`, to)}">Go on with ${escapeHtml(name)}</a></li>`,
  );
  return links.length === 0 ? '' : `<h2>Or with an account elsewhere</h2>\n<ul class="list">${links.join('')}</ul>`;
}

function passwordForm({ browser, to, username, hasAddresses }: SignInContext, note: string): string {
  return `<form method="post" action="${PAGES.signIn}">${note}${browser.formToken}${hidden('to', to)}
${userField(username, hasAddresses ? 'User name or mail address' : undefined)}
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required>
<button>Sign in</button></form>`;
}

function otherWays({ ways, to }: SignInContext): string {
  const linkOf = (number: number): string =>
    escapeHtml(`${PAGES.signIn}?${new URLSearchParams({ flow: String(number), to }).toString()}`);
  const links = ways.map(({ number, name }) => `<li><a href="${linkOf(number)}">${escapeHtml(name)}</a></li>`);
  return links.length === 0 ? '' : `<ul class="list">${links.join('')}</ul>`;
}

/** Where somebody shows that an account is theirs. */
export function signInPage(context: SignInContext): HtmlPage {
  const { to, serverName, isOpen, isByPassword, providers, problem } = context;
  const other = isOpen ? `<p><a href="${linkTo(PAGES.signUp, to)}">Create an account</a></p>` : '';
  const note = problemNote(problem);
  return unframedPage(
    'Sign in',
    `<p>Your account at <strong>${escapeHtml(serverName)}</strong></p>
${isByPassword ? passwordForm(context, note) : note}
${otherWays(context)}
${linksTo(providers, to)}
${other}`,
  );
}

/** Where somebody chooses the name and the password of a new account. */
export function signUpPage(context: SignUpContext): HtmlPage {
  const { browser, to, path, serverName, providers, username, problem } = context;
  return unframedPage(
    'Create an account',
    `<p>Your new account at <strong>${escapeHtml(serverName)}</strong></p>
<form method="post" action="${escapeHtml(path)}">${problemNote(problem)}${browser.formToken}
${userField(username)}
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="new-password" required>
<label for="repeated">Password, once more</label>
<input id="repeated" name="repeated" type="password" autocomplete="new-password" required>
<button>Create account</button></form>
${linksTo(providers, to)}
<p><a href="${linkTo(PAGES.signIn, to)}">I have an account</a></p>`,
  );
}
