import type { UserId } from '#kernel/ids';
import { composeMail } from '#mail/mail-look';
import type { Mail } from '#mail/mailer';
import { nameForMail, userForMail } from '#mail/names-of-strangers';

/** What a mail says of an invitation. Names as whoever invites gave them; left out where nobody vouches for who that is. */
export interface InvitationText {
  readonly sender?: UserId;
  readonly senderName?: unknown;
  readonly roomName?: unknown;
  readonly isSpace?: boolean;
  /** Whom the mail is from. */
  readonly serverName: string;
  readonly url: string;
}

/** The same for a phone: short, and no word that whoever invites has chosen but their user ID. */
export function invitationText(sender: UserId, url: string): string {
  return `${userForMail(sender)} invites you to a room on Matrix. How to accept: ${url}`;
}

/** Tells somebody who is known by an address alone that they are invited to a room: identity service API, "Invitation storage". */
export function invitationMail(to: string, { sender, serverName, url, ...said }: InvitationText): Mail {
  const senderName = sender === undefined ? undefined : nameForMail(said.senderName);
  const roomName = sender === undefined ? undefined : nameForMail(said.roomName);
  const user = sender === undefined ? 'Somebody' : userForMail(sender);
  const who = senderName === undefined ? user : `${senderName} (${user})`;
  const kind = said.isSpace === true ? 'space' : 'room';
  const where = roomName === undefined ? `a ${kind}` : `the ${kind} “${roomName}”`;
  return composeMail(to, {
    subject: `${senderName ?? 'Somebody'} invites you to ${roomName ?? `a ${kind}`} on Matrix`,
    says: [
      `${who} invites you to ${where} on Matrix, an open network of many servers on which people write to each other.`,
      'What is behind the link says how to accept. The invitation holds for 90 days.',
    ],
    link: { label: 'See the invitation', url },
    ends: [
      `This mail was sent by the identity server ${serverName}, which does not keep your address. If you do not know who invites you, do nothing.`,
    ],
  });
}
