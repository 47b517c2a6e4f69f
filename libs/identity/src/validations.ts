import { isSameSecret } from '#kernel/is-same-secret';
import { keyFor } from '#protocol/signing/key-for';
import { createHmac, randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { KeptNotes } from '#accounts/interactive-auth/kept-notes';
import { checkClientSecret } from '#accounts/threepids/mail-validation';
import type { Medium, Threepid } from '#accounts/threepids/threepid';
import { CONFIG, type Config } from '#config/config';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import { RateLimits } from '#http/rate-limits';
import { CLOCK, type Clock } from '#kernel/clock';
import type { UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { Mailer } from '#mail/mailer';
import { SIGNING_KEY, type SigningKey } from '#protocol/signing/signing-key';
import { VALIDATIONS_STREAM } from './facts/identity-facts.js';
import { validationMail } from './pages/identity-mails.js';

/** A session goes on for a day since it was begun or passed: identity service API, "Establishing associations". */
const LIFETIME_MS = 24 * 3600_000;
/** For as long again it is known that it is over. */
const KNOWN_MS = 2 * LIFETIME_MS;
const MOST_TRIES = 10;
/** So many at once: anybody who has an account somewhere may begin some. */
const MOST = 10_000;
/** Of one user: nobody has so many addresses to show, and else one user would leave none for others. */
const MOST_OF_ONE = 30;
const BUSY_MS = 60_000;

/** What a client asks a validation for. */
export interface NewValidation {
  readonly userId: UserId;
  readonly threepid: Threepid;
  readonly clientSecret: string;
  readonly sendAttempt: number;
  readonly nextLink?: string;
}

/** By what a client names a session. */
export interface SessionName {
  readonly sid: string;
  readonly clientSecret: string;
}

/** What is kept of a session. */
interface Session {
  readonly medium: Medium;
  readonly address: string;
  /** What is sent to the address: random. */
  readonly token: string;
  readonly attempt: number;
  /** How many wrong tokens were shown. */
  readonly tries: number;
  readonly until: number;
  readonly validated_at?: number;
  readonly next_link?: string;
  /** What stands for who began it. */
  readonly owner: string;
}

/** An identifier that was shown to be somebody's. */
export interface Validated extends Threepid {
  readonly validated_at: number;
}

/**
 * Has people show that a mail address is theirs. A session is a note that only who began it can read, sealed with its id and the client's secret: so no
 * address stands in the log before it was shown to be somebody's.
 */
@Injectable()
export class Validations extends KeptNotes {
  readonly #sidKey: Buffer;

  constructor(
    @Inject(EVENT_STORE) store: EventStore,
    @Inject(CLOCK) private readonly time: Clock,
    @Inject(SIGNING_KEY) key: SigningKey,
    @Inject(CONFIG)
    private readonly config: Pick<Config, 'publicUrl' | 'serverName'>,
    private readonly mailer: Mailer,
    private readonly limits: RateLimits,
  ) {
    super(store, time, { stream: VALIDATIONS_STREAM, most: MOST, mostOfOwner: MOST_OF_ONE });
    this.#sidKey = keyFor(key.exportSeed(), 'id of a validation by the identity server');
  }

  /**
   * Begins a session, or goes on with one, sends a mail where it is to be sent, and answers its id. Throws M_INVALID_PARAM, M_LIMIT_EXCEEDED, and
   * M_EMAIL_SEND_ERROR where this server sends no mails.
   */
  async begin({ userId, threepid, clientSecret, sendAttempt, nextLink }: NewValidation): Promise<string> {
    if (!this.mailer.isConfigured) throw new MatrixError('M_EMAIL_SEND_ERROR', 'This server sends no mails');
    checkClientSecret(clientSecret);
    const name = { sid: this.#sidOf(threepid, clientSecret), clientSecret };
    const known = await this.#find(name);
    const now = this.time.now();
    const before = known === undefined || known.until <= now ? undefined : known;
    if (before !== undefined && before.attempt >= sendAttempt) return name.sid;
    this.mailer.checkRoom();
    this.limits.check('mail', `mails to ${threepid.address}`);
    const session: Session = {
      medium: threepid.medium,
      address: threepid.address,
      token: before?.token ?? randomBytes(16).toString('base64url'),
      attempt: sendAttempt,
      tries: before?.tries ?? 0,
      until: before?.until ?? now + LIFETIME_MS,
      owner: before?.owner ?? this.#hmacOf(['user', userId]),
      ...(before?.validated_at === undefined ? {} : { validated_at: before.validated_at }),
      ...(nextLink === undefined ? {} : { next_link: nextLink }),
    };
    await this.#keep(name, session);
    this.mailer.post(validationMail(threepid.address, this.config.serverName, this.#linkFor(name, session.token)));
    return name.sid;
  }

  /**
   * Takes it for shown that whoever has the token reads what is sent to the address. Answers where they may go on. Throws M_NO_VALID_SESSION,
   * M_SESSION_EXPIRED, M_TOKEN_INCORRECT, M_LIMIT_EXCEEDED.
   */
  async submit(name: SessionName, token: string): Promise<{ readonly nextLink?: string }> {
    this.limits.check('password', `validation ${name.sid}`);
    const session = await this.#get(name);
    if (session.tries >= MOST_TRIES) throw new MatrixError('M_TOKEN_INCORRECT');
    if (!isToken(token, session)) {
      await this.#keep(name, { ...session, tries: session.tries + 1 });
      throw new MatrixError('M_TOKEN_INCORRECT');
    }
    const now = this.time.now();
    // Who presses the button twice is told the same, and nothing goes on for longer by it.
    if (session.validated_at === undefined) {
      await this.#keep(name, {
        ...session,
        validated_at: now,
        until: now + LIFETIME_MS,
      });
    }
    return session.next_link === undefined ? {} : { nextLink: session.next_link };
  }

  /** The address of a session whose token somebody has, for the page that asks them; undefined where it is not right. */
  async peek(name: SessionName, token: string): Promise<string | undefined> {
    const session = await this.#find(name);
    const holds = session !== undefined && session.until > this.time.now() && session.tries < MOST_TRIES;
    return holds && isToken(token, session) ? session.address : undefined;
  }

  /** What was shown in a session. Throws M_NO_VALID_SESSION, M_SESSION_EXPIRED, M_SESSION_NOT_VALIDATED. */
  async getValidated(name: SessionName): Promise<Validated> {
    const { medium, address, validated_at } = await this.#get(name);
    if (validated_at === undefined) throw new MatrixError('M_SESSION_NOT_VALIDATED');
    return { medium, address, validated_at };
  }

  async #get(name: SessionName): Promise<Session> {
    const session = await this.#find(name);
    if (session === undefined) throw new MatrixError('M_NO_VALID_SESSION');
    if (session.until <= this.time.now()) throw new MatrixError('M_SESSION_EXPIRED');
    return session;
  }

  async #find(name: SessionName): Promise<Session | undefined> {
    const note = await this.find(secretOf(name));
    // As `#keep` wrote it.
    return note === undefined || note === 'used' ? undefined : (note.content as unknown as Session);
  }

  async #keep(name: SessionName, session: Session): Promise<void> {
    const content = { ...session } as unknown as JsonObject; // texts and numbers
    const { until, owner } = session;
    if (await this.keep(secretOf(name), content, until - LIFETIME_MS + KNOWN_MS, { owner })) return;
    throw new MatrixError('M_LIMIT_EXCEEDED', 'Too many validations are under way', {
      fields: { retry_after_ms: BUSY_MS },
    });
  }

  /** The same for the same address and secret, and nobody else makes it up. */
  #sidOf({ medium, address }: Threepid, clientSecret: string): string {
    return this.#hmacOf([medium, address, clientSecret]);
  }

  #hmacOf(texts: readonly string[]): string {
    return createHmac('sha256', this.#sidKey).update(JSON.stringify(texts)).digest('base64url');
  }

  #linkFor({ sid, clientSecret }: SessionName, token: string): string {
    const query = new URLSearchParams({
      token,
      client_secret: clientSecret,
      sid,
    }).toString();
    return `${this.config.publicUrl}/_matrix/identity/v2/validate/email/submitToken?${query}`;
  }
}

/** The sid alone has bits enough. */
const secretOf = ({ sid, clientSecret }: SessionName): string => JSON.stringify([sid, clientSecret]);

function isToken(text: string, { token }: Session): boolean {
  return isSameSecret(text, token);
}
