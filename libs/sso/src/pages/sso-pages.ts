import { type HtmlPage, htmlPage } from '#http/pages/html-page';
import { escapeHtml } from '#kernel/escape-html';
import { askedFor, wordsForOperation } from '#accounts/pages/operation-words';
import { CODE_INPUT, EMAIL_INPUT, PHONE_INPUT } from '#accounts/pages/stage-page';
import { termsFields } from '#accounts/pages/terms-fields';
import type { Questions } from '../upstream-logins.js';

/** A provider as a page names it, and where it leads. */
export interface ProviderLink {
  readonly name: string;
  readonly href: string;
}

/** Several providers: one is to be chosen. `HtmlPage`s of this file say nothing that was not escaped. */
export function chooseProviderPage(title: string, why: string, links: readonly ProviderLink[]): HtmlPage {
  const items = links.map(({ name, href }) => `<li><a href="${escapeHtml(href)}">${escapeHtml(name)}</a></li>`);
  return htmlPage(title, `<p>${escapeHtml(why)}</p><ul>${items.join('')}</ul>`);
}

/** Whoever comes has to say something before they go on: a name that they choose (`proposed`), what they accept, a mail address, a phone number. */
export function detailsPage(action: string, asks: Questions & { readonly serverName: string }): HtmlPage {
  const { proposed, terms, email, phone, problem } = asks;
  const alert = problem === undefined ? '' : `<p role="alert" id="problem">${escapeHtml(problem)}</p>`;
  const title =
    proposed !== undefined
      ? 'Choose your user name'
      : terms.length > 0
        ? 'Terms of this server'
        : email
          ? 'Confirm your mail address'
          : 'Confirm your phone number';
  const fields = [
    proposed === undefined ? '' : nameField(proposed, asks),
    terms.length === 0 ? '' : termsFields(terms),
    email ? mailFields(asks.mailTo) : '',
    phone ? phoneFields(asks.textTo) : '',
  ];
  return htmlPage(
    title,
    `<form method="post" action="${escapeHtml(action)}">${alert}
${fields.filter(Boolean).join('\n')}
<button>Continue</button></form>`,
    undefined,
    { isNeverFramed: true },
  );
}

function nameField(
  proposed: string,
  { serverName, problem }: { readonly serverName: string; readonly problem?: string },
): string {
  const told = problem === undefined ? '' : ' aria-describedby="problem" aria-invalid="true"';
  return `<p>Your user name is part of your address, <code>@name:${escapeHtml(serverName)}</code>, and cannot be changed later.</p>
<label for="name">User name</label>
<input id="name" name="name" value="${escapeHtml(proposed)}" autocomplete="username" autocapitalize="none" spellcheck="false" maxlength="200" required${told}>`;
}

/** `mailTo`: where a mail is on its way to already. */
function mailFields(mailTo: string | undefined): string {
  if (mailTo === undefined) return EMAIL_INPUT;
  return `<p>A mail is on its way to ${escapeHtml(mailTo)}. Open the link in it, then go on here.</p>
<label for="email">Or have it sent to another address</label>
<input id="email" name="email" type="email" autocomplete="email" maxlength="254">`;
}

/** `textTo`: the digits of the number to which a message is on its way already. Who wants it at another number begins anew. */
function phoneFields(textTo: string | undefined): string {
  if (textTo === undefined) return PHONE_INPUT;
  return `<p>A message with a code is on its way to +${escapeHtml(textTo)}.</p>${CODE_INPUT}`;
}

/** An application wants to be logged in: may it? */
export function confirmClientPage(userId: string, client: string, href: string): HtmlPage {
  return htmlPage(
    'Log this application in?',
    `<p>You are <strong>${escapeHtml(userId)}</strong>. An application at <strong>${escapeHtml(client)}</strong> wants to use your account.</p>
<p>If you do not know it, or did not come here from it, close this page.</p>
<p><a href="${escapeHtml(href)}">Continue</a></p>`,
    undefined,
    { isNeverFramed: true },
  );
}

/** Somebody is to show once more who they are, for something that they should know of. */
export function confirmOperationPage(of: {
  readonly userId: string;
  readonly operation: string;
  readonly links: readonly ProviderLink[];
  readonly problem?: string;
}): HtmlPage {
  const alert = of.problem === undefined ? '' : `<p role="alert">${escapeHtml(of.problem)}</p>`;
  const items = of.links.map(
    ({ name, href }) => `<li><a href="${escapeHtml(href)}">Confirm with ${escapeHtml(name)}</a></li>`,
  );
  return htmlPage(
    'Is it you?',
    `${alert}<p>An application wants to ${wordsForOperation(of.operation)} <strong>${escapeHtml(of.userId)}</strong>. To confirm it, log in once more.</p>
<p>If you did not expect this, somebody else may use your account: close this page.</p><ul>${items.join('')}</ul>`,
    undefined,
    { isNeverFramed: true },
  );
}

/** They have shown it: is it done? Whoever was led here by a link alone reads of it here first. `action`: where the answer goes. */
export function approveOperationPage(of: {
  readonly userId: string;
  readonly operation: string;
  readonly action: string;
}): HtmlPage {
  return htmlPage(
    'Is this what you want?',
    `${askedFor(`${wordsForOperation(of.operation)} <strong>${escapeHtml(of.userId)}</strong>`)}<form method="post" action="${escapeHtml(of.action)}"><button>Confirm</button></form>`,
    undefined,
    { isNeverFramed: true },
  );
}

/** On the way back, for browsers that do not go by themselves. */
export function goOnPage(href: string): HtmlPage {
  return htmlPage('Thank you', `<p><a href="${escapeHtml(href)}">Continue</a></p>`);
}

/** Something went wrong. `again`: where it is begun anew, where that can be from here. */
export function problemPage(problem: string, again?: string): HtmlPage {
  const link = again === undefined ? '' : `<p><a href="${escapeHtml(again)}">Begin anew</a></p>`;
  return htmlPage('This did not work', `<p role="alert">${escapeHtml(problem)}</p>${link}`);
}
