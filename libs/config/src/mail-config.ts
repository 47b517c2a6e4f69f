import type { Settings } from './settings.js';

/** The mail server that takes this server's mails. */
export interface MailConfig {
  /** `smtp:` or `smtps:`, with the user and the password where it wants some. */
  readonly smtpUrl: string;
  /** Whom mails are from: an address, or a name and an address in angle brackets. */
  readonly from: string;
}

/** All of it checked by the validator. */
export function mailOf({
  smtp_url: smtpUrl,
  mail_from: from,
  server_name: serverName,
}: Settings): MailConfig | undefined {
  if (smtpUrl === undefined) return undefined;
  return Object.freeze({ smtpUrl, from: from ?? `noreply@${serverName.replace(/:\d+$/, '')}` });
}
