import { composeMail } from '#mail/mail-look';
import type { Mail } from '#mail/mailer';
import type { UserId } from '#kernel/ids';
import type { ValidationPurpose } from './validation-links.js';

/** What a mail of a validation depends on. */
export interface ValidationMail {
  readonly purpose: ValidationPurpose;
  readonly to: string;
  readonly serverName: string;
  /** The account that has the address, if one does. */
  readonly owner: UserId | undefined;
  /** Whether nothing can be done with that account, though the mail would show whose it is. */
  readonly isLocked: boolean;
}

const IGNORE = 'If that was not you, do nothing: nothing happens without this mail.';

const ASKS: Readonly<
  Record<ValidationPurpose, { readonly subject: string; readonly says: string; readonly label: string }>
> = {
  registration: {
    subject: 'Confirm your address',
    says: 'Somebody, hopefully you, gave this address for a new account',
    label: 'Confirm the address',
  },
  addition: {
    subject: 'Confirm your address',
    says: 'Somebody, hopefully you, adds this address to their account',
    label: 'Confirm the address',
  },
  recovery: {
    subject: 'Choose a new password',
    says: 'Somebody, hopefully you, wants to choose a new password for your account',
    label: 'Yes, it is me',
  },
  login: {
    subject: 'Log in',
    says: 'Somebody, hopefully you, wants to log in to your account',
    label: 'Yes, it is me',
  },
};

/** What is in a mail: a link, how long it holds, and a code that shows the same where the client asks for one. */
export interface MailedLink {
  readonly url: string;
  readonly minutes: number;
  readonly code?: string;
}

/** With a link that shows that whoever opens it reads the mails of the address. */
export function linkMail({ purpose, to, serverName, owner }: ValidationMail, { url, minutes, code }: MailedLink): Mail {
  const { subject, says, label } = ASKS[purpose];
  return composeMail(to, {
    subject: `${subject} (${serverName})`,
    says: [
      `${says} ${nameOf(owner)}on ${serverName}.`,
      `The link holds for ${minutes} minutes. The page behind it asks once more before anything is done.`,
      ...(code === undefined ? [] : ['Where your application asks for a code, this is it:']),
    ],
    ...(code === undefined ? {} : { code }),
    link: { label, url },
    ends: [IGNORE],
  });
}

/** With a code that is typed where it was asked for. */
export function codeMail({ purpose, to, serverName, owner }: ValidationMail, code: string, minutes: number): Mail {
  const { subject, says } = ASKS[purpose];
  return composeMail(to, {
    subject: `${subject} (${serverName})`,
    says: [`${says} ${nameOf(owner)}on ${serverName}. This is the code for it:`],
    code,
    ends: [`It holds for ${minutes} minutes, once, and nobody of the server ever asks you for it.`, IGNORE],
  });
}

/** Why there is no link: that an address has an account, or has none, or one that is locked, is told to who reads its mails, and nobody else. */
export function refusalMail({ purpose, to, serverName, owner, isLocked }: ValidationMail): Mail {
  if (isLocked) return lockedMail(to, serverName, owner);
  const needsAccount = purpose === 'recovery' || purpose === 'login';
  const says = needsAccount
    ? [
        `Somebody, hopefully you, wanted to log in on ${serverName} by this address, or to choose a new password. It does not belong to that account.`,
        'If you have an account there it may have another address.',
      ]
    : [
        `Somebody, hopefully you, wanted to use this address on ${serverName}. It belongs to the account ${String(owner)} already.`,
        'If you do not know its password any more, have a new one sent to this address instead.',
      ];
  return composeMail(to, {
    subject: needsAccount
      ? `No account with this address (${serverName})`
      : `This address has an account (${serverName})`,
    says,
    ends: ['If that was not you, do nothing.'],
  });
}

function lockedMail(to: string, serverName: string, owner: UserId | undefined): Mail {
  return composeMail(to, {
    subject: `Your account is locked (${serverName})`,
    says: [
      `Somebody, hopefully you, wanted to log in to your account ${nameOf(owner)}on ${serverName}, or to choose a new password for it. It is locked: until whoever runs that server lifts the lock neither can be done.`,
    ],
    ends: ['If that was not you, do nothing.'],
  });
}

const nameOf = (owner: UserId | undefined): string => (owner === undefined ? '' : `${owner} `);
