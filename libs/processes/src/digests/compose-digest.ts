import { composeMail, type MailSection } from '#mail/mail-look';
import type { Mail } from '#mail/mailer';
import type { DescribedRoom, Quote } from './describe-digest.js';

/** What a mail of what is unread depends on. */
export interface DigestMail {
  readonly to: string;
  readonly userId: string;
  readonly serverName: string;
  /** What its client is called, where it says so. */
  readonly brand: string | undefined;
  readonly rooms: readonly DescribedRoom[];
  /** How many rooms there are besides of which something is unread. */
  readonly more: number;
  readonly unsubscribeUrl: string;
  readonly id: string;
}

/** What somebody has not read. */
export function composeDigest(mail: DigestMail): Mail {
  const { to, userId, serverName, rooms, more, unsubscribeUrl, id, brand } = mail;
  const label = brand === undefined ? 'Open' : `Open in ${brand}`;
  const composed = composeMail(to, {
    subject: `${subjectOf(rooms, more)} (${serverName})`,
    says: [`This is what ${userId} has not read.`],
    sections: rooms.map((room) => sectionOf(room, label)),
    ends: [
      ...(more === 0 ? [] : [`There is something unread in ${counted(more, 'more room')}.`]),
      'Once you read something in your application no mail tells of it any more.',
    ],
    endLink: { label: 'I want no more of these mails', url: unsubscribeUrl },
  });
  return { ...composed, id, unsubscribe: unsubscribeUrl };
}

function subjectOf(rooms: readonly DescribedRoom[], more: number): string {
  const [first] = rooms;
  if (first === undefined) throw new Error('a mail of nothing that is unread');
  const others = rooms.length - 1 + more;
  if (others > 0) return `Unread: ${first.name} and ${counted(others, 'more room')}`;
  return first.invitedBy === undefined ? `Unread: ${first.name}` : `${first.invitedBy} invites you: ${first.name}`;
}

function sectionOf(room: DescribedRoom, label: string): MailSection {
  const { name, url, quotes } = room;
  return { title: name, quotes: quotes.map(quoteOf), notes: notesOf(room), link: { label, url } };
}

function notesOf({ invitedBy, quotes, unread, highlights, isEncrypted }: DescribedRoom): string[] {
  if (invitedBy !== undefined) return [`${invitedBy} invites you to this room.`];
  const mentions = highlights === 0 ? [] : [`You are mentioned ${counted(highlights, 'time')}.`];
  if (isEncrypted) return [`${counted(unread, 'message')}, which only your devices can read.`, ...mentions];
  const others = unread - quotes.length;
  return [...(others > 0 ? [`And ${counted(others, 'message')} before that.`] : []), ...mentions];
}

function quoteOf({ who, at, says }: Quote): MailSection['quotes'][number] {
  return { who, when: momentOf(at), says };
}

/** Nobody knows in which time zone a mail is read. What another server says to be a time may be none. */
function momentOf(at: number): string {
  const date = new Date(at);
  return Number.isNaN(date.getTime()) ? '' : `${date.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

const counted = (number: number, what: string): string => `${number} ${what}${number === 1 ? '' : 's'}`;
