import { type HtmlPage, htmlPage } from '#http/pages/html-page';
import { escapeHtml } from '#kernel/escape-html';
import type { RoomId, UserId } from '#kernel/ids';

/** What the page of an invitation says. */
export interface InvitationPage {
  readonly sender: UserId;
  readonly roomId: RoomId;
  /** The identity server. */
  readonly serverName: string;
  /** Where applications find the room, with what they have it accepted by. */
  readonly appLink: string;
}

/** How an invitation by address is accepted. */
export function invitationPage({ sender, roomId, serverName, appLink }: InvitationPage): HtmlPage {
  const body = `<p>${escapeHtml(sender)} invites you to the room <code>${escapeHtml(roomId)}</code> on Matrix.</p>
<ol>
<li>Open your Matrix application and log in. If you have no account yet, make one, on any server.</li>
<li>In its settings, add the address or number that this was sent to, and let people find you by it. The identity server is <code>${escapeHtml(serverName)}</code>.</li>
<li>The invitation appears in the application by itself.</li>
</ol>
<p class="note"><a href="${escapeHtml(appLink)}" rel="noreferrer">Open it in an application</a> that takes such links.</p>`;
  return htmlPage('You are invited', body, undefined, { isNeverFramed: true });
}

export function invitationOverPage(): HtmlPage {
  return htmlPage('This invitation holds no more', '<p role="alert">It was accepted, or its time is over.</p>');
}
