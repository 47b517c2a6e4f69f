import type { HtmlPage } from '#http/pages/html-page';
import { escapeHtml } from '#kernel/escape-html';
import type { UserId } from '#kernel/ids';
import type { Browser } from '../browser/browsers.js';
import { type Client, nameOfClient } from '../clients/client.js';
import type { Scope } from '../decide/scope.js';
import { PAGES } from '../oauth-paths.js';
import { unframedPage } from './unframed-page.js';

/** What somebody is asked before an application gets a session of theirs. */
export interface ConsentContext {
  readonly browser: Browser;
  readonly userId: UserId;
  readonly client: Client;
  readonly scope: Scope;
  /** The name of the device whose place it takes; undefined where it is a new one. */
  readonly takesOver: string | undefined;
  /** This page, with its query: the form goes there. */
  readonly path: string;
  /** Where the application is answered; undefined where it is a device that asks by itself. */
  readonly redirectUri?: string;
}

/** Names the application, in its own words, and where the answer goes, which is what it cannot lie about. */
export function consentPage(context: ConsentContext): HtmlPage {
  const { browser, client, path, redirectUri, userId } = context;
  const name = escapeHtml(nameOfClient(client));
  return unframedPage(
    redirectUri === undefined ? 'Let this device in?' : 'Let this application in?',
    `<p><strong>${name}</strong> asks to use your account <strong>${escapeHtml(userId)}</strong>.</p>
${redirectUri === undefined ? DEVICE_WARNING : ''}
<dl>
<dt>It says that it is at home at</dt><dd>${escapeHtml(new URL(client.client_uri).hostname)}</dd>
${redirectUri === undefined ? '' : `<dt>You go on to</dt><dd>${escapeHtml(placeOf(redirectUri))}</dd>`}
<dt>It may then</dt><dd>${whatItMay(context)}</dd>
</dl>
${linksOf(client)}
<form method="post" action="${escapeHtml(path)}">${browser.formToken}
<div class="row"><button name="answer" value="yes">Let it in</button><button name="answer" value="no">No</button></div></form>
<form method="post" action="${PAGES.signOut}">${browser.formToken}
<input type="hidden" name="to" value="${escapeHtml(path)}"><button>I am somebody else</button></form>`,
    redirectUri === undefined ? undefined : sourceOf(redirectUri),
  );
}

const DEVICE_WARNING =
  '<p role="alert">Go on only if you have begun this yourself, on a device that is before you. Nobody else needs this code of you.</p>';

function whatItMay({ scope, takesOver }: ConsentContext): string {
  const device = `<code>${escapeHtml(scope.deviceId)}</code>`;
  const place =
    takesOver === undefined
      ? `be there as the new device ${device}`
      : `take the place of your device ${device} (${escapeHtml(takesOver)}), which is signed out`;
  return [
    'read all your messages, send messages as you, and change your profile and your rooms',
    ...(scope.isAdmin ? ['<strong>administer this server</strong>, as far as you may'] : []),
    place,
  ].join('; ');
}

function linksOf({ tos_uri: terms, policy_uri: policy }: Client): string {
  const links = [
    ...(terms === undefined ? [] : [linkTo(terms, 'terms of service')]),
    ...(policy === undefined ? [] : [linkTo(policy, 'privacy policy')]),
  ];
  return links.length === 0 ? '' : `<p class="note">Of the application: its ${links.join(', its ')}.</p>`;
}

const linkTo = (uri: string, text: string): string =>
  `<a href="${escapeHtml(uri)}" rel="noopener noreferrer nofollow" target="_blank">${text}</a>`;

/** The host of a web address, or the scheme by which an application on this device is called. */
export function placeOf(redirectUri: string): string {
  const { protocol, host, hostname } = new URL(redirectUri);
  if (protocol === 'http:') return `an application on this device (${hostname})`;
  return protocol === 'https:' ? host : `an application on this device (${protocol.slice(0, -1)})`;
}

/** What a policy calls it: a browser takes the form to be leading to wherever it is sent on, and an application may send it on once more. */
const sourceOf = (redirectUri: string): string => new URL(redirectUri).protocol;
