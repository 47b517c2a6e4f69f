import { Inject, Injectable, Logger } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { Outgoing } from '#http/outgoing/outgoing';
import { RateLimits } from '#http/rate-limits';
import { MatrixError } from '#kernel/matrix-error';
import { messageOf } from '#kernel/message-of';
import { GatewayTexts } from './gateway-texts.js';
import { LoggedTexts } from './logged-texts.js';
import type { PhoneNumber } from './phone-numbers.js';
import type { TextMessage, TextMessages } from './text-messages.js';

/** How many wait at most for the gateway. */
const MOST_WAITING = 100;
const BUSY_MS = 20_000;

/**
 * Sends messages to phones, in the way that the operator chose (`ANNALS_TEXT_MESSAGES`). Each costs something: so there are few to a number, few for one who
 * asks, and so many by this server in all, however many ask. What waits is in memory: codes are asked for again.
 */
@Injectable()
export class Texter {
  readonly #log = new Logger('phones');
  readonly #numbers = { sent: 0, failed: 0 };
  readonly #texts: TextMessages | undefined;
  #waiting = 0;

  constructor(
    @Inject(CONFIG) private readonly config: Pick<Config, 'textMessages'>,
    outgoing: Outgoing,
    private readonly limits: RateLimits,
  ) {
    const { textMessages } = config;
    if (textMessages === undefined) return;
    const { gateway } = textMessages;
    this.#texts = gateway === undefined ? new LoggedTexts() : new GatewayTexts(outgoing, gateway);
  }

  /** Whether this server sends messages to phones at all. Where it does not, nothing that needs one is offered. */
  get isConfigured(): boolean {
    return this.#texts !== undefined;
  }

  /** For metrics. */
  get numbers(): { readonly sent: number; readonly failed: number; readonly waiting: number } {
    return { ...this.#numbers, waiting: this.#waiting };
  }

  /** Whether messages are sent to numbers like it: the operator may have named the countries. */
  reaches({ country }: PhoneNumber): boolean {
    const { countries } = this.config.textMessages ?? {};
    return countries === undefined || (country !== undefined && countries.includes(country));
  }

  /**
   * Counts a message to a number. Throws M_LIMIT_EXCEEDED where there may be no more, of this server or to this number. To be asked before anything is looked
   * up, so that the answer tells nothing of a number.
   */
  checkRoom(number: string): void {
    if (this.#waiting >= MOST_WAITING) {
      throw new MatrixError('M_LIMIT_EXCEEDED', 'Too many messages are on their way', {
        fields: { retry_after_ms: BUSY_MS },
      });
    }
    this.limits.check('text', `texts to ${number}`);
    this.limits.check('all-texts', 'texts');
  }

  /** Sends one, and does not wait for it: what becomes of it is only logged, without the number. */
  post(message: TextMessage): void {
    this.send(message).catch((error: unknown) =>
      this.#log.error({ reason: messageOf(error) }, 'a message to a phone was not sent'),
    );
  }

  /** Settles once it is taken. Throws TextFailure. */
  async send(message: TextMessage): Promise<void> {
    if (this.#texts === undefined) throw new Error('nothing brings messages to phones');
    this.#waiting++;
    try {
      await this.#texts.send(message);
      this.#numbers.sent++;
    } catch (error) {
      this.#numbers.failed++;
      throw error;
    } finally {
      this.#waiting--;
    }
  }
}
