import { Inject, Injectable, Logger } from '@nestjs/common';
import { type LimitedRequest, RateLimits } from '#http/rate-limits';
import { CLOCK, type Clock } from '#kernel/clock';
import type { UserId } from '#kernel/ids';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';
import { isSameSecret } from '#kernel/is-same-secret';
import { MatrixError } from '#kernel/matrix-error';
import { type Mail, Mailer } from '#mail/mailer';
import { AuthNotes } from '../interactive-auth/auth-notes.js';
import { checkClientSecret } from './client-secret.js';
import { nextLinkOf } from './next-link.js';
import { parseThreepid, type Threepid } from './threepid.js';
import { ThreepidClaims } from './threepid-claims.js';
import { type Validation, type ValidationLink, ValidationLinks, type ValidationPurpose } from './validation-links.js';
import { linkMail, refusalMail, type ValidationMail } from './validation-mails.js';

/** For how long a link holds, and what was shown by it: as long as notes are kept. */
const LIFETIME_MS = 60 * 60_000;
const MINUTE_MS = 60_000;
const LINK_MINUTES = LIFETIME_MS / MINUTE_MS;
/** Of so many validations it is remembered which attempt was the last. */
const CAPACITY = 10_000;

/** A validation that is to be begun. */
export interface NewValidation {
  readonly purpose: ValidationPurpose;
  readonly email: string;
  /** What its client makes up, and shows again. */
  readonly clientSecret: string;
  /** Another mail is sent only where this is more than before. */
  readonly sendAttempt: number;
  readonly nextLink?: string;
  /** The account that the address is to be of. */
  readonly userId?: UserId;
}

/** What a client submits. */
export interface SubmittedCode {
  readonly sid: string;
  readonly clientSecret: string;
  readonly token: string;
}

/** An address that was shown to be somebody's. */
export interface Validated {
  readonly threepid: Threepid;
  readonly validatedAt: number;
}

/**
 * Has people show that a mail address is theirs, by a link that is sent there. No answer tells whether an account has the address, nor
 * does its time: that is looked up once the answer is given, and told to the address itself.
 */
@Injectable()
export class MailValidation {
  readonly #log = new Logger('accounts');
  readonly #attempts = new LruCache<string, number>(CAPACITY);

  constructor(
    private readonly mailer: Mailer,
    private readonly links: ValidationLinks,
    private readonly claims: ThreepidClaims,
    private readonly notes: AuthNotes,
    private readonly limits: RateLimits,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** Whether anything can be validated here. */
  get isConfigured(): boolean {
    return this.mailer.isConfigured;
  }

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#attempts.numbers;
  }

  /**
   * Sends a mail with a link, and answers the id of the validation. Throws M_INVALID_PARAM for what is no address or secret,
   * M_THREEPID_MEDIUM_NOT_SUPPORTED where this server sends no mails, and M_LIMIT_EXCEEDED.
   */
  begin(wanted: NewValidation): string {
    return this.#begin(wanted, (mail, link) => linkMail(mail, { url: this.links.urlOf(link), minutes: LINK_MINUTES }));
  }

  /** As `begin`, for a client that may submit a code of the mail, too: answers where. */
  beginWithCode(wanted: NewValidation): { readonly sid: string; readonly submitUrl: string } {
    const { purpose, email, clientSecret } = wanted;
    // Of mails that are sent soon after each other the codes are the same, whichever is typed.
    const until = (Math.floor(this.clock.now() / LIFETIME_MS) + 2) * LIFETIME_MS;
    const submission = { purpose, threepid: parseThreepid('email', email), clientSecret, until };
    const code = this.links.codeOf(submission);
    const sid = this.#begin(wanted, (mail, link) =>
      linkMail(mail, { url: this.links.urlOf(link), minutes: LINK_MINUTES, code }),
    );
    return { sid, submitUrl: this.links.submitUrlOf(submission) };
  }

  #begin(
    { purpose, email, clientSecret, sendAttempt, nextLink, userId }: NewValidation,
    compose: (mail: ValidationMail, link: ValidationLink) => Mail,
  ): string {
    if (!this.isConfigured) throw new MatrixError('M_THREEPID_MEDIUM_NOT_SUPPORTED', 'This server sends no mails');
    checkClientSecret(clientSecret);
    const validation: Validation = { purpose, threepid: parseThreepid('email', email), clientSecret };
    const sid = this.links.sidOf(validation);
    if ((this.#attempts.get(sid) ?? -Infinity) >= sendAttempt) return sid;
    this.checkRoom(validation.threepid);
    this.#attempts.set(sid, sendAttempt);
    const link = {
      ...validation,
      until: this.clock.now() + LIFETIME_MS,
      ...(nextLink === undefined ? {} : { nextLink: nextLinkOf(nextLink, sid) }),
    };
    this.post(validation, userId, (mail) => compose(mail, link));
    return sid;
  }

  /** Counts somebody who has a stage send a mail, as whoever asks for one at a door of its own. Throws M_LIMIT_EXCEEDED. */
  checkAsker(asker: LimitedRequest | undefined): void {
    if (asker === undefined) throw new Error('a mail is to be sent, and nobody is said to ask for it');
    this.limits.checkRequest('mail', asker);
  }

  /** Throws M_LIMIT_EXCEEDED where no more mails may be sent, or none to this address. */
  checkRoom({ address }: Threepid): void {
    this.mailer.checkRoom(address);
  }

  /**
   * Sends what `compose` makes to an address that serves the purpose, and to another why it does not: an account has it already, or none has,
   * or another than `userId`, or one that is locked. Nobody waits for it.
   */
  post(
    { purpose, threepid }: Pick<Validation, 'purpose' | 'threepid'>,
    userId: UserId | undefined,
    compose: (mail: ValidationMail) => Mail,
  ): void {
    const send = async (): Promise<void> => {
      const owner = await this.claims.findOwner(threepid);
      const needsAccount = purpose === 'recovery' || purpose === 'login';
      const isTheirs = owner !== undefined && (userId ?? owner) === owner;
      const isLocked = needsAccount && isTheirs && (await this.claims.isLocked(owner));
      const mail = { purpose, to: threepid.address, serverName: this.links.serverName, owner, isLocked };
      const serves = needsAccount ? isTheirs && !isLocked : owner === undefined;
      this.mailer.post(serves ? compose(mail) : refusalMail(mail));
    };
    send().catch((error: unknown) => this.#log.error({ err: error }, 'a mail was not sent'));
  }

  /** What a link says, for the page that asks whether it is so; undefined where its time is over. */
  open(token: string): ValidationLink | undefined {
    return this.links.open(token);
  }

  /** Takes it for shown that whoever opened the link reads the mails of the address. Throws M_FORBIDDEN where its time is over, or it was used, and M_LIMIT_EXCEEDED. */
  async confirm(token: string): Promise<ValidationLink> {
    const link = this.links.open(token);
    if (link === undefined) throw new MatrixError('M_FORBIDDEN', 'This link holds no more');
    return this.#note(link);
  }

  /**
   * As `confirm`, by the code of the mail, typed where it was asked for. `validation`: that of the URL to which it was submitted. Throws M_NO_VALID_SESSION where that is none of
   * this client's, M_SESSION_EXPIRED, M_TOKEN_INCORRECT, and M_LIMIT_EXCEEDED where it is guessed.
   */
  async submit(validation: string, { sid, clientSecret, token }: SubmittedCode): Promise<void> {
    const link = this.links.openSubmission(validation);
    if (link === undefined || link.clientSecret !== clientSecret || this.links.sidOf(link) !== sid)
      throw new MatrixError('M_NO_VALID_SESSION');
    const now = this.clock.now();
    if (link.until <= now) throw new MatrixError('M_SESSION_EXPIRED');
    const countedAs = `code of a mail ${sid}`;
    this.limits.check('password', countedAs);
    const typed = token.replace(/\s/g, '');
    const codes = [link.until, link.until - LIFETIME_MS].filter((until) => until > now);
    if (!codes.some((until) => isSameSecret(this.links.codeOf({ ...link, until }), typed)))
      throw new MatrixError('M_TOKEN_INCORRECT');
    this.limits.giveBack('password', countedAs);
    await this.#note(link);
  }

  async #note(link: ValidationLink): Promise<ValidationLink> {
    const now = this.clock.now();
    const { medium, address } = link.threepid;
    const content = { medium, address, validated_at: now };
    const secret = this.#secretOf(link);
    if (await this.notes.keep(secret, content, now + LIFETIME_MS)) return link;
    if ((await this.notes.find(secret)) === 'used') throw new MatrixError('M_FORBIDDEN', 'This link was used already');
    throw new MatrixError('M_LIMIT_EXCEEDED', 'Too many do this at once', { fields: { retry_after_ms: MINUTE_MS } });
  }

  /** What was shown; undefined where the link was not opened, or what was shown by it was used. */
  async find(purpose: ValidationPurpose, sid: string, clientSecret: string): Promise<Validated | undefined> {
    const note = await this.notes.find(secretFor(purpose, sid, clientSecret));
    if (note === undefined || note === 'used') return undefined;
    // As `confirm` wrote it.
    const {
      medium,
      address,
      validated_at: validatedAt,
    } = note.content as unknown as Threepid & { validated_at: number };
    return { threepid: { medium, address }, validatedAt };
  }

  /** As `find`, and uses it up: of two that try at once one is answered. */
  async take(purpose: ValidationPurpose, sid: string, clientSecret: string): Promise<Validated | undefined> {
    const shown = await this.find(purpose, sid, clientSecret);
    return shown !== undefined && (await this.notes.use(secretFor(purpose, sid, clientSecret))) ? shown : undefined;
  }

  #secretOf(link: Validation): string {
    return secretFor(link.purpose, this.links.sidOf(link), link.clientSecret);
  }
}

/** The sid alone has bits enough: nobody makes it up who has not the server's key. */
const secretFor = (purpose: ValidationPurpose, sid: string, clientSecret: string): string =>
  JSON.stringify([purpose, sid, clientSecret]);
