import { Inject, Injectable } from '@nestjs/common';
import { openText, sealText } from '#protocol/signing/sealed-text';
import { CONFIG, type Config } from '#config/config';
import type { UserId } from '#kernel/ids';
import { keyFor } from '#protocol/signing/key-for';
import { SIGNING_KEY, type SigningKey } from '#protocol/signing/signing-key';

/** Whose mails of what is unread a link ends: the pusher that sends them. */
export interface Subscription {
  readonly userId: UserId;
  readonly pushkey: string;
}

/** Where the links that end mails lead to. */
export const UNSUBSCRIBE_PATH = '_matrix/static/client/unsubscribe';

/**
 * The links by which mails of what is unread end. They say whose, sealed with a key that is good for nothing else, and hold for ever: whoever finds
 * an old mail wants no more of them either.
 */
@Injectable()
export class UnsubscribeLinks {
  readonly #key: Buffer;

  constructor(
    @Inject(SIGNING_KEY) signingKey: SigningKey,
    @Inject(CONFIG) private readonly config: Pick<Config, 'publicUrl'>,
  ) {
    this.#key = keyFor(signingKey.exportSeed(), 'end of mails of what is unread');
  }

  /** The URL for a mail. */
  urlOf({ userId, pushkey }: Subscription): string {
    const token = sealText(this.#key, JSON.stringify([userId, pushkey]));
    return `${this.config.publicUrl}/${UNSUBSCRIBE_PATH}?token=${token}`;
  }

  /** What a link ends; undefined where it is none of ours. */
  open(token: string): Subscription | undefined {
    const text = openText(this.#key, token);
    if (text === undefined) return undefined;
    const [userId, pushkey] = JSON.parse(text) as [UserId, string]; // as `urlOf` wrote it
    return { userId, pushkey };
  }
}
