import { hash } from 'node:crypto';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { Accounts } from '#accounts/accounts';
import { CONFIG, type Config } from '#config/config';
import type { UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { Mailer, MailFailure } from '#mail/mailer';
import { MailPushers } from '#push/digests/mail-pusher';
import type { Digest } from '#push/digests/digest';
import type { PusherSet } from '#push/facts/pusher-facts';
import { composeDigest } from './compose-digest.js';
import { DescribeDigest } from './describe-digest.js';
import type { UnreadRoom } from './gather-digest.js';
import { plainLine } from './plain-text.js';
import { UnsubscribeLinks } from './unsubscribe-links.js';

/** What became of a mail: the mail server has it, or will never take it; it takes none for whom it is to; there was nothing to tell; it is to be tried later. */
export type Handed = 'done' | 'refused' | 'needless' | 'later';

const MOST_ROOMS = 10;
const MOST_BRAND = 32;

/** Hands a mail of what is unread over to the mail server. */
@Injectable()
export class SendDigest {
  readonly #log = new Logger('push');

  constructor(
    private readonly mailer: Mailer,
    private readonly describe: DescribeDigest,
    private readonly links: UnsubscribeLinks,
    private readonly mails: MailPushers,
    private readonly accounts: Accounts,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
  ) {}

  /** Whether a user is mailed by a pusher: they have the address still, and may use the account, which nobody may while it is locked. */
  async canSend(userId: UserId, pusher: PusherSet): Promise<boolean> {
    if (!this.mailer.isConfigured || (await this.accounts.load(userId)).locked) return false;
    return (await this.mails.findAddress(userId, pusher)) !== undefined;
  }

  /** `mailing`: the mail as it was begun. One that is handed over again after a crash has the id that it had. */
  async send(
    userId: UserId,
    pusher: PusherSet,
    { up_to: upTo, at }: NonNullable<Digest['mailing']>,
    rooms: readonly UnreadRoom[],
  ): Promise<Handed> {
    const to = await this.mails.findAddress(userId, pusher);
    const sorted = rooms.toSorted((a, b) => Number(b.highlights > 0) - Number(a.highlights > 0) || newer(a, b));
    const described = await this.describe.describe(userId, sorted.slice(0, MOST_ROOMS));
    if (to === undefined || described.length === 0) return 'needless';
    const { pushkey } = pusher;
    const { brand } = pusher.data;
    const mail = composeDigest({
      to,
      userId,
      serverName: this.config.serverName,
      brand: typeof brand === 'string' ? plainLine(brand, MOST_BRAND) || undefined : undefined,
      rooms: described,
      more: sorted.length - Math.min(sorted.length, MOST_ROOMS),
      unsubscribeUrl: this.links.urlOf({ userId, pushkey }),
      id: `unread.${hash('sha256', JSON.stringify([userId, pushkey, upTo, at]), 'hex').slice(0, 32)}`,
    });
    try {
      await this.mailer.send(mail);
    } catch (error) {
      // Too many are on their way.
      if (error instanceof MatrixError) return 'later';
      if (!(error instanceof MailFailure)) throw error;
      this.#log.warn({ reason: error.message }, 'a mail of what is unread was not taken');
      if (error.isOfMailbox) return 'refused';
      return error.isTransient ? 'later' : 'done';
    }
    return 'done';
  }
}

const newer = (a: UnreadRoom, b: UnreadRoom): number => b.newestAt - a.newestAt;
