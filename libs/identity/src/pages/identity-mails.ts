import type { UserId } from '#kernel/ids';
import { composeMail } from '#mail/mail-look';
import type { Mail } from '#mail/mailer';
import { userForMail } from '#mail/names-of-strangers';

/** What a mail of a validation depends on. */
export interface ValidationMail {
  readonly serverName: string;
  /** Who asked for it; absent where nobody is known. */
  readonly userId: UserId | undefined;
  readonly url: string;
}

/** With a link that shows that whoever opens it reads the mails of the address. */
export function validationMail(to: string, { serverName, userId, url }: ValidationMail): Mail {
  const who = userId === undefined ? 'Somebody, hopefully you,' : `${userForMail(userId)} on Matrix, hopefully you,`;
  return composeMail(to, {
    subject: `Confirm your address (${serverName})`,
    says: [
      `${who} wants to be found on Matrix by this address, and has the identity server ${serverName} ask whether it is theirs.`,
      'The link holds for a day, and is asked once more before anything is done.',
    ],
    link: { label: 'Confirm the address', url },
    ends: ['If that was not you, do nothing: nothing happens without this mail.'],
  });
}

/** What a message to a phone says: short, for each 160 characters cost once more. */
export function validationText(serverName: string, code: string): string {
  return `${code} is your code to be found by this number on Matrix (${serverName}). Tell nobody. If you asked for nothing, do nothing.`;
}
