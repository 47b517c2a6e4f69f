import { composeMail } from '#mail/mail-look';
import type { Mail } from '#mail/mailer';

/** With a link that shows that whoever opens it reads the mails of the address. */
export function validationMail(to: string, serverName: string, url: string): Mail {
  return composeMail(to, {
    subject: `Confirm your address (${serverName})`,
    says: [
      `Somebody, hopefully you, wants to be found on Matrix by this address, and has the identity server ${serverName} ask whether it is theirs.`,
      'The link holds for a day, and is asked once more before anything is done.',
    ],
    link: { label: 'Confirm the address', url },
    ends: ['If that was not you, do nothing: nothing happens without this mail.'],
  });
}
