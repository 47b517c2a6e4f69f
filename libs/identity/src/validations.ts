import { randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { makeCode } from '#accounts/credentials/make-code';
import { checkClientSecret } from '#accounts/threepids/client-secret';
import { findThreepid, type Threepid } from '#accounts/threepids/threepid';
import { type SessionName, type ValidationSession, ValidationSessions } from '#accounts/threepids/validation-sessions';
import { CONFIG, type Config } from '#config/config';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import { RateLimits } from '#http/rate-limits';
import { CLOCK, type Clock } from '#kernel/clock';
import { serverNameOf, type UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { Mailer } from '#mail/mailer';
import { phoneReader } from '#phones/phone-numbers';
import { Texter } from '#phones/texter';
import { keyFor } from '#protocol/signing/key-for';
import { SIGNING_KEY, type SigningKey } from '#protocol/signing/signing-key';
import { VALIDATIONS_STREAM } from './facts/identity-facts.js';
import { validationMail, validationText } from './pages/identity-mails.js';

/** A session goes on for a day since it was begun or passed: identity service API, "Establishing associations". */
const LIFETIME_MS = 24 * 3600_000;
/** For as long again it is known that it is over. */
const KNOWN_MS = 2 * LIFETIME_MS;
const MOST_TRIES = 10;
/** So many at once: anybody who has an account somewhere may begin some. */
const MOST = 10_000;
/** Of one user: nobody has so many addresses to show, and else one user would leave none for others. */
const MOST_OF_ONE = 30;
/** Of all users of one homeserver, which makes as many as it likes. */
const MOST_OF_SERVER = 2_000;

/** It is kept with the session. */
const MOST_LINK = 512;

/** Who asks for a validation: a user, or in API v1 somebody of whom no more is known than the IP address or network that they ask from (`addressParty`). */
export type ValidationAsker = { readonly userId: UserId } | { readonly ipParty: string };

/** What a client asks a validation for. */
export interface AskedValidation {
  readonly asker: ValidationAsker;
  readonly clientSecret: string;
  readonly sendAttempt: number;
  readonly nextLink?: string;
}

/** A phone number, as it is dialled in a country, which has two letters. */
export interface DialledNumber {
  readonly country: string;
  readonly phone: string;
}

/** What reaches people at their addresses and phones. */
@Injectable()
export class Messengers {
  constructor(
    readonly mailer: Mailer,
    readonly texter: Texter,
  ) {}
}

/** Has people show that a mail address or a phone number is theirs. */
@Injectable()
export class Validations extends ValidationSessions {
  constructor(
    @Inject(EVENT_STORE) store: EventStore,
    @Inject(CLOCK) time: Clock,
    @Inject(SIGNING_KEY) key: SigningKey,
    @Inject(CONFIG) private readonly config: Pick<Config, 'publicUrl' | 'serverName'>,
    private readonly messengers: Messengers,
    limits: RateLimits,
  ) {
    super(
      store,
      time,
      limits,
      { stream: VALIDATIONS_STREAM, most: MOST, mostOfOwner: MOST_OF_ONE, mostOfGroup: MOST_OF_SERVER },
      { lifetimeMs: LIFETIME_MS, knownMs: KNOWN_MS, mostTries: MOST_TRIES },
      keyFor(key.exportSeed(), 'id of a validation by the identity server'),
    );
  }

  /**
   * Begins a session, or goes on with one, sends a mail where it is to be sent, and answers its id. Throws M_INVALID_EMAIL, M_INVALID_PARAM,
   * M_LIMIT_EXCEEDED, and M_EMAIL_SEND_ERROR where this server sends no mails.
   */
  async beginByMail(email: string, wanted: AskedValidation): Promise<string> {
    const { mailer } = this.messengers;
    const threepid = findThreepid('email', email);
    if (threepid === undefined) throw new MatrixError('M_INVALID_EMAIL');
    if (!mailer.isConfigured) throw new MatrixError('M_EMAIL_SEND_ERROR', 'This server sends no mails');
    const makeToken = (): string => randomBytes(16).toString('base64url');
    const { name, session } = await this.#begin(threepid, wanted, makeToken, () => {
      mailer.checkRoom(threepid.address);
    });
    if (session !== undefined) {
      const { serverName } = this.config;
      const url = this.#linkFor(name, session.token);
      mailer.post(validationMail(threepid.address, { serverName, userId: userIdOf(wanted.asker), url }));
    }
    return name.sid;
  }

  /**
   * As `beginByMail`, by a message with a code to a phone. Throws M_INVALID_ADDRESS for what is no number, M_DESTINATION_REJECTED for a country to which nothing
   * is sent, M_INVALID_PARAM, M_LIMIT_EXCEEDED, and M_SEND_ERROR where this server sends no messages.
   */
  async beginByText({ country, phone }: DialledNumber, wanted: AskedValidation): Promise<string> {
    const { texter } = this.messengers;
    if (!texter.isConfigured) throw new MatrixError('M_SEND_ERROR', 'This server sends no messages to phones');
    const number = (await phoneReader(country))(phone);
    const threepid = number === undefined ? undefined : findThreepid('msisdn', number.digits);
    if (number === undefined || threepid === undefined) throw new MatrixError('M_INVALID_ADDRESS');
    if (!texter.reaches(number)) throw new MatrixError('M_DESTINATION_REJECTED');
    const userId = userIdOf(wanted.asker);
    const { name, session } = await this.#begin(threepid, wanted, makeCode, () => {
      if (userId !== undefined) this.limits.checkForUser('text', userId);
      texter.checkRoom(threepid.address);
    });
    if (session !== undefined) {
      texter.post({ number: threepid.address, text: validationText(this.config.serverName, session.token) });
    }
    return name.sid;
  }

  async #begin(
    threepid: Threepid,
    { asker, clientSecret, sendAttempt, nextLink }: AskedValidation,
    makeToken: () => string,
    checkRoom: () => void,
  ): Promise<{ readonly name: SessionName; readonly session: ValidationSession | undefined }> {
    checkClientSecret(clientSecret);
    if (nextLink !== undefined && nextLink.length > MOST_LINK) {
      throw new MatrixError('M_INVALID_PARAM', `next_link: ${MOST_LINK} characters at most`);
    }
    const userId = userIdOf(asker);
    // Nobody goes on with the session of another user: what was shown in it was shown for that one.
    const whose = userId === undefined ? [] : [userId];
    const name = { sid: this.hmacOf([threepid.medium, threepid.address, clientSecret, ...whose]), clientSecret };
    const asked = { name, threepid, sendAttempt, nextLink, userId, ...this.#whose(asker) };
    return { name, session: await this.open(asked, makeToken, checkRoom) };
  }

  /** What stands for who asks, and for where they are from. */
  #whose(asker: ValidationAsker): { readonly owner: string; readonly group: string } {
    if ('ipParty' in asker) return { owner: this.hmacOf(['address', asker.ipParty]), group: this.hmacOf(['v1']) };
    const { userId } = asker;
    return { owner: this.hmacOf(['user', userId]), group: this.hmacOf(['server', serverNameOf(userId)]) };
  }

  #linkFor({ sid, clientSecret }: SessionName, token: string): string {
    const query = new URLSearchParams({ token, client_secret: clientSecret, sid }).toString();
    return `${this.config.publicUrl}/_matrix/identity/v2/validate/email/submitToken?${query}`;
  }
}

const userIdOf = (asker: ValidationAsker): UserId | undefined => ('userId' in asker ? asker.userId : undefined);
