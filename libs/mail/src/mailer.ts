import { Inject, Injectable, Logger } from '@nestjs/common';
import type { Transporter } from 'nodemailer';
import type SMTPPool from 'nodemailer/lib/smtp-pool';
import { CONFIG, type Config } from '#config/config';
import { RateLimits } from '#http/rate-limits';
import { MatrixError } from '#kernel/matrix-error';
import { isMailAddress } from './mail-address.js';

/** A mail to one address. */
export interface Mail {
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  readonly html?: string;
  /** By which a mail that is sent twice is known as one: what stands before the `@`. Absent: it has one of its own. */
  readonly id?: string;
  /** A URL that wants no more such mails, once it is posted to (RFC 8058). */
  readonly unsubscribe?: string;
}

/** The mail server has not taken it. The message holds no address. */
export class MailFailure extends Error {
  constructor(
    reason: string,
    /** Whether it may be taken at another time. */
    readonly isTransient: boolean,
    /** Whether it is who the mail is to that it refuses, and not this mail alone. */
    readonly isOfMailbox = false,
  ) {
    super(reason);
    this.name = 'MailFailure';
  }
}

/** How many wait at most for the mail server. */
const MOST_WAITING = 1_000;
const CONNECTIONS = 2;
const CONNECT_MS = 10_000;
/** Without a sign of life of the mail server. */
const SILENCE_MS = 30_000;
// oxlint-disable-next-line no-control-regex
const LINE_ENDS = /[\u0000-\u001f\u007f\u2028\u2029]/;

/**
 * Hands mails over to the mail server of the operator (`ANNALS_SMTP_URL`), two at once. What waits is in memory: codes and links are
 * asked for again. Addresses, and what mails say, are never logged.
 */
@Injectable()
export class Mailer {
  readonly #log = new Logger(Mailer.name);
  readonly #numbers = { sent: 0, failed: 0 };
  #transport: Promise<Transporter<SMTPPool.SentMessageInfo>> | undefined;
  #waiting = 0;

  constructor(
    @Inject(CONFIG) private readonly config: Pick<Config, 'mail'>,
    private readonly limits: RateLimits,
  ) {}

  /** Whether this server sends mails at all. Where it does not, nothing that needs one is offered. */
  get isConfigured(): boolean {
    return this.config.mail !== undefined;
  }

  /** For metrics. */
  get numbers(): { readonly sent: number; readonly failed: number; readonly waiting: number } {
    return { ...this.#numbers, waiting: this.#waiting };
  }

  /**
   * Counts a mail to an address that somebody wants one sent to. Throws M_LIMIT_EXCEEDED where no more may wait, or there may be none more to this address. To be
   * asked before anything is looked up, so that the answer tells nothing of an address.
   */
  checkRoom(address: string): void {
    this.#checkWaiting();
    this.limits.check('mail', `mails to ${address}`);
  }

  /** Settles once the mail server has taken it. Throws MailFailure, M_LIMIT_EXCEEDED where no more may wait, and M_INVALID_PARAM for what is no address. */
  async send(mail: Mail): Promise<void> {
    const { mail: config } = this.config;
    if (config === undefined) throw new Error('no mail server is configured');
    if (!isMailAddress(mail.to)) throw new MatrixError('M_INVALID_PARAM', 'This is no mail address');
    if (LINE_ENDS.test(mail.subject)) throw new Error('the subject of a mail has more than one line');
    this.#checkWaiting();
    this.#waiting++;
    try {
      const transport = await (this.#transport ??= open(config.smtpUrl));
      const { to, subject, text, html, id, unsubscribe } = mail;
      await transport.sendMail({
        from: config.from,
        to: { name: '', address: to },
        subject: subjectAsWritten(subject),
        text,
        html,
        ...(id === undefined ? {} : { messageId: `<${id}@${domainOf(config.from)}>` }),
        headers: unsubscribe === undefined ? HEADERS : { ...HEADERS, ...unsubscribing(unsubscribe) },
      });
      this.#numbers.sent++;
    } catch (error) {
      this.#numbers.failed++;
      throw failureOf(error);
    } finally {
      this.#waiting--;
    }
  }

  /** As `send`, for who does not wait for it: what becomes of it is only logged. Throws M_LIMIT_EXCEEDED at once. */
  post(mail: Mail): void {
    this.#checkWaiting();
    this.send(mail).catch((error: unknown) => {
      this.#log.error({ reason: error instanceof Error ? error.message : 'unknown' }, 'a mail was not sent');
    });
  }

  #checkWaiting(): void {
    if (this.#waiting < MOST_WAITING) return;
    throw new MatrixError('M_LIMIT_EXCEEDED', 'Too many mails are on their way', {
      fields: { retry_after_ms: SILENCE_MS },
    });
  }

  async onModuleDestroy(): Promise<void> {
    (await this.#transport)?.close();
  }
}

/** Not to be answered by machines (RFC 3834). */
const HEADERS = { 'Auto-Submitted': 'auto-generated' };

/** "The List-Unsubscribe-Post header MUST contain the single key/value pair": RFC 8058, section 3.1. */
function unsubscribing(url: string): Record<string, string> {
  return { 'List-Unsubscribe': `<${url}>`, 'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click' };
}

/** How many bytes an encoded word of at most 75 letters holds in base64. */
const MOST_IN_WORD = 45;

/**
 * What looks like an encoded word (RFC 2047) a mail program would decode, and show what nobody has looked at: names of strangers stand in subjects. So the whole of it is encoded.
 * All else the transport encodes where it has to.
 */
function subjectAsWritten(subject: string): string {
  if (!subject.includes('=?')) return subject;
  const words = [''];
  for (const letter of subject) {
    const last = words.length - 1;
    if (Buffer.byteLength(words[last] + letter) > MOST_IN_WORD) words.push(letter);
    else words[last] += letter;
  }
  return words.map((word) => `=?UTF-8?B?${Buffer.from(word).toString('base64')}?=`).join(' ');
}

/** Where mails are from. */
function domainOf(from: string): string {
  return from.slice(from.lastIndexOf('@') + 1).replace(/>\s*$/, '');
}

/** PERF: loaded with the first mail. */
async function open(smtpUrl: string): Promise<Transporter<SMTPPool.SentMessageInfo>> {
  const { createTransport } = await import('nodemailer');
  const url = new URL(smtpUrl);
  return createTransport({
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? undefined : Number(url.port),
    secure: url.protocol === 'smtps:',
    auth:
      url.username === ''
        ? undefined
        : { user: decodeURIComponent(url.username), pass: decodeURIComponent(url.password) },
    pool: true,
    maxConnections: CONNECTIONS,
    connectionTimeout: CONNECT_MS,
    greetingTimeout: CONNECT_MS,
    socketTimeout: SILENCE_MS,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
}

/**
 * How a mail server says that it is the mailbox: X.1 (the address; two of these are of who the mail is from) and X.2 (RFC 3463). At the same command it says that it
 * relays nothing for this server, or that this server is on a list: whoever is mailed is not to blame for that.
 */
const OF_MAILBOX = /^5\d\d[ -]5\.(?:1\.(?!7\b|8\b)|2\.)\d/;

/** What went wrong, without what the mail server has said of it: that may name who the mail was to. */
function failureOf(error: unknown): MailFailure {
  const { code, responseCode, command, response } = error as Readonly<Record<string, unknown>>;
  const isRefusal = typeof responseCode === 'number' && responseCode >= 500;
  // Of a password that is wrong, or who the mail is from, the mail server may think otherwise once the operator has mended it.
  const isOfMail = isRefusal && (command === 'RCPT TO' || command === 'DATA');
  const isOfMailbox = command === 'RCPT TO' && typeof response === 'string' && OF_MAILBOX.test(response);
  const parts = [code, responseCode, command].filter((part) => typeof part === 'string' || typeof part === 'number');
  return new MailFailure(
    `the mail server has not taken it (${parts.join(' ') || 'no answer'})`,
    !isOfMail,
    isOfMailbox,
  );
}
