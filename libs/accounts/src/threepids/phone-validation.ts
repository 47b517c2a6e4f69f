import { Inject, Injectable, Logger } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import { type LimitedRequest, RateLimits } from '#http/rate-limits';
import { CLOCK, type Clock } from '#kernel/clock';
import { MatrixError } from '#kernel/matrix-error';
import { mayPass } from '#kernel/may-pass';
import { phoneReader } from '#phones/phone-numbers';
import { Texter } from '#phones/texter';
import { keyFor } from '#protocol/signing/key-for';
import { SIGNING_KEY, type SigningKey } from '#protocol/signing/signing-key';
import { makeCode } from '../credentials/make-code.js';
import { PHONE_VALIDATIONS_STREAM } from '../facts/auth-note-facts.js';
import { checkClientSecret } from './client-secret.js';
import { codeText, refusalText } from './phone-codes.js';
import { parseThreepid, type Threepid } from './threepid.js';
import { ThreepidClaims } from './threepid-claims.js';
import type { Validated } from './mail-validation.js';
import type { ValidationPurpose } from './validation-links.js';
import { type SessionName, ValidationSessions } from './validation-sessions.js';

/** For how long a code holds, and what was shown by it. */
const LIFETIME_MS = 60 * 60_000;
/** With eight digits nobody guesses one. */
const MOST_TRIES = 5;
const MOST = 10_000;
/** For one number: each is a message. */
const MOST_OF_ONE = 10;

/** Where clients send the codes that people type in: client-server API, `submit_url`. */
export const SUBMIT_PATH = '_matrix/client/unstable/dev.annals.validation/msisdn/submitToken';

/** A validation that is to be begun. */
export interface NewPhoneValidation {
  readonly purpose: ValidationPurpose;
  /** As it is dialled in the country, which has two letters. */
  readonly phone: string;
  readonly country: string;
  readonly clientSecret: string;
  readonly sendAttempt: number;
}

/** A validation that was begun. */
export interface BegunPhoneValidation {
  readonly sid: string;
  /** The number, as 3PIDs have it. */
  readonly number: string;
}

/** Who sends messages, and who knows whose numbers are: a constructor takes six things. */
@Injectable()
export class PhoneParts {
  constructor(
    readonly texter: Texter,
    readonly claims: ThreepidClaims,
  ) {}
}

/**
 * Has people show that a phone number is theirs, by a code that is sent there and that their client brings back. No answer tells whether an account has the
 * number, nor does its time: that is looked up once the answer is given.
 */
@Injectable()
export class PhoneValidation extends ValidationSessions {
  readonly #phones = new Logger('accounts');

  constructor(
    @Inject(EVENT_STORE) store: EventStore,
    @Inject(CLOCK) clock: Clock,
    @Inject(SIGNING_KEY) key: SigningKey,
    limits: RateLimits,
    @Inject(CONFIG) private readonly config: Pick<Config, 'publicUrl' | 'serverName'>,
    private readonly parts: PhoneParts,
  ) {
    super(
      store,
      clock,
      limits,
      { stream: PHONE_VALIDATIONS_STREAM, most: MOST, mostOfOwner: MOST_OF_ONE },
      { lifetimeMs: LIFETIME_MS, knownMs: LIFETIME_MS, mostTries: MOST_TRIES },
      keyFor(key.exportSeed(), 'id of a validation of a phone number'),
    );
  }

  /** Whether anything can be validated here. */
  get isConfigured(): boolean {
    return this.parts.texter.isConfigured;
  }

  /** Where clients send the codes. */
  get submitUrl(): string {
    return `${this.config.publicUrl}/${SUBMIT_PATH}`;
  }

  /**
   * Sends a code, and answers the id of the validation. Throws M_INVALID_PARAM for what is no number, country or secret, M_THREEPID_DENIED for a country to
   * which nothing is sent, M_THREEPID_MEDIUM_NOT_SUPPORTED where this server sends no messages, and M_LIMIT_EXCEEDED.
   */
  async begin(wanted: NewPhoneValidation): Promise<BegunPhoneValidation> {
    const { texter } = this.parts;
    const { purpose, clientSecret, sendAttempt } = wanted;
    if (!texter.isConfigured) {
      throw new MatrixError('M_THREEPID_MEDIUM_NOT_SUPPORTED', 'This server sends no messages to phones');
    }
    checkClientSecret(clientSecret);
    const threepid = await this.#parse(wanted);
    const name = { sid: this.hmacOf([purpose, threepid.address, clientSecret]), clientSecret };
    const owner = this.hmacOf(['number', threepid.address]);
    const session = await this.open({ name, threepid, sendAttempt, purpose, owner }, makeCode, () =>
      texter.checkRoom(threepid.address),
    );
    if (session !== undefined) this.#post(purpose, threepid, session.token);
    return { sid: name.sid, number: threepid.address };
  }

  /** Counts somebody who has a stage send a message, as whoever asks for one at a door of its own. Throws M_LIMIT_EXCEEDED. */
  checkAsker(asker: LimitedRequest | undefined): void {
    if (asker === undefined) throw new Error('a message is to be sent, and nobody is said to ask for it');
    this.limits.checkRequest('text', asker);
  }

  /** What was shown for a purpose; undefined where the code was not brought back, or what was shown by it was used. Of two that try at once one is answered. */
  async takeShown(purpose: ValidationPurpose, name: SessionName): Promise<Validated | undefined> {
    try {
      const { medium, address, validated_at: validatedAt } = await this.take(name, purpose);
      return { threepid: { medium, address }, validatedAt };
    } catch (error) {
      if (error instanceof MatrixError && !mayPass(error)) return undefined;
      throw error;
    }
  }

  async #parse({ phone, country }: NewPhoneValidation): Promise<Threepid> {
    const number = (await phoneReader(country))(phone);
    if (number === undefined)
      throw new MatrixError('M_INVALID_PARAM', 'phone_number: this is no number of that country');
    if (!this.parts.texter.reaches(number)) {
      throw new MatrixError('M_THREEPID_DENIED', 'This server sends no messages to that country');
    }
    return parseThreepid('msisdn', number.digits);
  }

  /**
   * Sends a code to a number that serves the purpose, and to one that an account has already who has it. A number that has no account, where one is wanted, or has one that is locked, is
   * sent nothing: anybody could have messages sent to anywhere. Nobody waits for it.
   */
  #post(purpose: ValidationPurpose, threepid: Threepid, code: string): void {
    const { serverName } = this.config;
    const send = async (): Promise<void> => {
      const owner = await this.parts.claims.findOwner(threepid);
      const needsAccount = purpose === 'recovery' || purpose === 'login';
      if (needsAccount && (owner === undefined || (await this.parts.claims.isLocked(owner)))) return;
      const serves = needsAccount || owner === undefined;
      const text = serves ? codeText(serverName, purpose, code) : refusalText(serverName, owner);
      this.parts.texter.post({ number: threepid.address, text });
    };
    send().catch((error: unknown) => this.#phones.error({ err: error }, 'a message to a phone was not sent'));
  }
}
