import { parseDuration } from './duration.js';
import type { Settings } from './settings.js';

/** The mail server that takes this server's mails. */
export interface MailConfig {
  /** `smtp:` or `smtps:`, with the user and the password where it wants some. */
  readonly smtpUrl: string;
  /** Whom mails are from: an address, or a name and an address in angle brackets. */
  readonly from: string;
}

/** The mails that tell people of what they have not read. */
export interface DigestConfig {
  /** What was not read for so long is mailed, in milliseconds. */
  readonly afterMs: number;
  /** Whether who registers with a mail address is sent them, until they want none. */
  readonly isForNewUsers: boolean;
  /** The client that their links lead to, with no slash at its end; undefined: matrix.to, which asks for one. */
  readonly clientUrl: string | undefined;
}

/** All of it checked by the validator. */
export function mailsOf(settings: Settings): { readonly mail: MailConfig | undefined; readonly digests: DigestConfig } {
  return { mail: mailOf(settings), digests: digestsOf(settings) };
}

function mailOf({ smtp_url: smtpUrl, mail_from: from, server_name: serverName }: Settings): MailConfig | undefined {
  if (smtpUrl === undefined) return undefined;
  return Object.freeze({ smtpUrl, from: from ?? `noreply@${serverName.replace(/:\d+$/, '')}` });
}

function digestsOf(settings: Settings): DigestConfig {
  return Object.freeze({
    afterMs: parseDuration(settings.mail_unread_after)!, // Checked by the validator.
    isForNewUsers: settings.mail_unread_for_new_users === 'on',
    clientUrl: settings.mail_client_url?.replace(/\/+$/, ''),
  });
}
