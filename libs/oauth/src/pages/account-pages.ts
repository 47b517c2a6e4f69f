import type { HtmlPage } from '#http/pages/html-page';
import { escapeHtml } from '#kernel/escape-html';
import type { DeviceId, UserId } from '#kernel/ids';
import type { Browser } from '../browser/browsers.js';
import { CONFIRMATION } from '../browser/confirm-person.js';
import { ACTIONS } from '../account-actions.js';
import { ACCOUNT_FORMS, PAGES } from '../oauth-paths.js';
import { unframedPage, problemNote } from './unframed-page.js';

/** A device as the account page shows it. */
export interface ShownDevice {
  readonly deviceId: DeviceId;
  readonly name: string | undefined;
  readonly createdAt: number;
  readonly lastSeenAt: number | undefined;
  readonly lastSeenIp: string | undefined;
  /** Of an application that has the session by OAuth: how it calls itself, and where it says it is at home. */
  readonly application: string | undefined;
}

/** A provider of accounts. */
export interface ShownProvider {
  readonly id: string;
  readonly name: string;
}

/** An account elsewhere that is the user's, and by what a form names it. */
export interface ShownExternalId {
  readonly idHash: string;
  readonly providerName: string;
  readonly subject: string;
}

/** What all of them are made for. */
export interface AccountContext {
  readonly browser: Browser;
  readonly userId: UserId;
  /** Whether there is a password to be asked for, here or where the account is kept. */
  readonly hasPassword: boolean;
  /** Whether it is this server that keeps it, so that it is changed here. */
  readonly hasPasswordHere: boolean;
  /** Whether there are accounts elsewhere by which people sign in here. */
  readonly hasElsewhere: boolean;
  /** The providers by which they can confirm that it is they, where there is no password to be asked for. */
  readonly confirmsWith: readonly ShownProvider[];
  /** The field by which a form shows that they have. */
  readonly confirmation?: string;
  /** What was done, or why it was not. */
  readonly note?: string;
  readonly problem?: string;
}

const hrefOf = (action: string, deviceId?: DeviceId): string =>
  `${PAGES.account}?${new URLSearchParams({ action, ...(deviceId === undefined ? {} : { device_id: deviceId }) }).toString()}`;

/** The same, with the word for what was done. */
export const doneAt = (action: string, done: string): string => `${hrefOf(action)}&done=${done}`;

const link = (action: string, text: string, deviceId?: DeviceId): string =>
  `<a href="${escapeHtml(hrefOf(action, deviceId))}">${text}</a>`;

const NAVIGATION = `<nav class="row">${link(ACTIONS.profile, 'Account')}${link(ACTIONS.devices, 'Devices')}<a href="${PAGES.data}">Your data</a></nav>`;

/** A page of the account, with the way to the others. */
export function page(title: string, { note, problem }: AccountContext, body: string): HtmlPage {
  const done = note === undefined ? '' : `<p role="status">${escapeHtml(note)}</p>`;
  return unframedPage(title, `${NAVIGATION}\n${done}${problemNote(problem)}\n${body}`);
}

/** By which somebody shows that it is they who do something. */
export function confirmFields({ hasPassword, confirmation, confirmsWith }: AccountContext, action: string): string {
  if (hasPassword)
    return `<label for="password">Your password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required>`;
  if (confirmation !== undefined)
    return `<input type="hidden" name="${CONFIRMATION}" value="${escapeHtml(confirmation)}">
<p class="note">You have confirmed that it is you: go on within ten minutes.</p>`;
  const query = new URLSearchParams({ action }).toString();
  const links = confirmsWith.map(
    ({ id, name }) =>
      `<li><a href="${escapeHtml(`${PAGES.confirmWith}/${id}?${query}`)}">Confirm with ${escapeHtml(name)}</a></li>`,
  );
  return `<p>Before you go on, confirm that it is you:</p><ul class="list">${links.join('')}</ul>`;
}

/** Who somebody is here, how they show it, and their password. */
export function profilePage(context: AccountContext, displayname: string): HtmlPage {
  const { browser, userId, hasPasswordHere } = context;
  const token = browser.formToken;
  const password = `<h2>Password</h2>
<form method="post" action="${ACCOUNT_FORMS.password}">${token}<input type="hidden" name="username" autocomplete="username" value="${escapeHtml(userId)}">
${confirmFields(context, ACTIONS.profile)}
<label for="new_password">New password</label>
<input id="new_password" name="new_password" type="password" autocomplete="new-password" required>
<label for="repeated">New password, once more</label>
<input id="repeated" name="repeated" type="password" autocomplete="new-password" required>
<label><input type="checkbox" name="logout_devices" value="yes" checked>Sign all devices out</label>
<button>Change password</button></form>`;
  return page(
    'Your account',
    context,
    `<dl><dt>User ID</dt><dd><code>${escapeHtml(userId)}</code></dd></dl>
<h2>Profile</h2>
<form method="post" action="${ACCOUNT_FORMS.profile}">${token}
<label for="displayname">Display name</label>
<input id="displayname" name="displayname" autocomplete="nickname" maxlength="250" value="${escapeHtml(displayname)}">
<button>Save</button></form>
${hasPasswordHere ? password : ''}
<h2>More</h2>
<ul class="list">${context.hasElsewhere ? `<li>${link(ACTIONS.elsewhere, 'Accounts elsewhere')}</li>\n` : ''}<li>${link(ACTIONS.keyReset, 'Reset your digital identity')}</li>
<li>${link(ACTIONS.close, 'Close your account')}</li></ul>
<form method="post" action="${PAGES.signOut}">${token}<button>Sign out of this browser</button></form>`,
  );
}

function whenOf(milliseconds: number): string {
  return `<time>${new Date(milliseconds).toISOString().slice(0, 16).replace('T', ' ')} UTC</time>`;
}

const nameOf = ({ name, deviceId }: ShownDevice): string => name ?? deviceId;

/** Where somebody is signed in, the newest first. */
export function devicesPage(context: AccountContext, devices: readonly ShownDevice[]): HtmlPage {
  const items = devices.map(
    (device) =>
      `<li><strong>${link(ACTIONS.device, escapeHtml(nameOf(device)), device.deviceId)}</strong><br>
<span class="note">${device.lastSeenAt === undefined ? `since ${whenOf(device.createdAt)}` : `last used ${whenOf(device.lastSeenAt)}`}</span></li>`,
  );
  const list = items.length === 0 ? '<p>None.</p>' : `<ul class="list">${items.join('\n')}</ul>`;
  return page('Your devices', context, list);
}

/** One of them, and its end. */
export function devicePage(context: AccountContext, device: ShownDevice, isToEnd: boolean): HtmlPage {
  const { deviceId, createdAt, lastSeenAt, lastSeenIp, application } = device;
  const rows: (readonly [string, string | undefined])[] = [
    ['Device ID', `<code>${escapeHtml(deviceId)}</code>`],
    ['Application', application && escapeHtml(application)],
    ['There since', whenOf(createdAt)],
    ['Last used', lastSeenAt === undefined ? undefined : whenOf(lastSeenAt)],
    ['From', lastSeenIp && escapeHtml(lastSeenIp)],
  ];
  const told = rows.flatMap(([term, text]) => (text === undefined ? [] : [`<dt>${term}</dt><dd>${text}</dd>`]));
  return page(
    isToEnd ? 'Sign this device out?' : nameOf(device),
    context,
    `${isToEnd ? `<p><strong>${escapeHtml(nameOf(device))}</strong></p>` : ''}<dl>${told.join('')}</dl>
<p>Messages whose keys no other device or back-up of yours has cannot be read any more once it is signed out.</p>
<form method="post" action="${ACCOUNT_FORMS.devices}">${context.browser.formToken}
<input type="hidden" name="device_id" value="${escapeHtml(deviceId)}"><button>Sign it out</button></form>`,
  );
}

/** What an application may do next, because its user says here that it may. */
export function keyResetPage(context: AccountContext): HtmlPage {
  return page(
    'Reset your digital identity?',
    context,
    `<p>An application of yours may then make new keys for you, by which others know your devices. Those whom you have verified
have to be verified once more, and so have you. Do this only if you have lost all your devices and your recovery key.</p>
<form method="post" action="${ACCOUNT_FORMS.keyReset}">${context.browser.formToken}
${confirmFields(context, ACTIONS.keyReset)}
<button>Allow it for ten minutes</button></form>`,
  );
}

/** The end of the account. */
export function closePage(context: AccountContext): HtmlPage {
  return page(
    'Close your account?',
    context,
    `<p>It ends: all your devices are signed out, you leave all rooms, and nobody else gets the name
<code>${escapeHtml(context.userId)}</code>. Only the operators of this server could open it again, without what went with it.</p>
<form method="post" action="${ACCOUNT_FORMS.close}">${context.browser.formToken}
${confirmFields(context, ACTIONS.close)}
<label><input type="checkbox" name="erase" value="yes">Let go of what was kept of me and what I uploaded as well, and keep
what I wrote from whoever comes later. Who could read it before still can.</label>
<label for="confirmed">Your user ID, to make sure</label>
<input id="confirmed" name="confirmed" autocomplete="off" autocapitalize="none" spellcheck="false" required>
<button>Close my account</button></form>`,
  );
}

/** The accounts elsewhere by which somebody signs in here, and those that could be. */
export function elsewherePage(
  context: AccountContext,
  linked: readonly ShownExternalId[],
  providers: readonly ShownProvider[],
): HtmlPage {
  const theirs = linked.map(
    ({ idHash, providerName, subject }) =>
      `<li><strong>${escapeHtml(providerName)}</strong> <span class="note">${escapeHtml(subject)}</span><br>
<button name="unlink" value="${escapeHtml(idHash)}">Sign in by it no more</button></li>`,
  );
  const others = providers.map(
    ({ id, name }) =>
      `<li><button name="link" value="${escapeHtml(id)}">Sign in by an account at ${escapeHtml(name)}</button></li>`,
  );
  return page(
    'Accounts elsewhere',
    context,
    `<form method="post" action="${ACCOUNT_FORMS.elsewhere}">${context.browser.formToken}
${confirmFields(context, ACTIONS.elsewhere)}
${theirs.length === 0 ? '<p>You sign in by none yet.</p>' : `<ul class="list">${theirs.join('\n')}</ul>`}
<ul class="list">${others.join('\n')}</ul></form>`,
  );
}
