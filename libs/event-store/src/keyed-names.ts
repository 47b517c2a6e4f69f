import { createHmac } from 'node:crypto';
import { keyFor } from '#protocol/signing/key-for';

/**
 * Names in the log, and in views, of what could be guessed, as phone numbers can: of so few there are that a hash of one tells which it is to who tries them all. These
 * tell nobody who has not the key as well, which is not in the log. A name can never be taken out of the log.
 */
export class KeyedNames {
  readonly #key: Buffer;
  readonly #secret: Uint8Array;

  /**
   * `secret`: of the key by which this log has its names, its seed. `areAnew`: what the log knows from before has names by another one, which is lost: of what has none
   * by this key only views can say whose it is.
   */
  constructor(
    secret: Uint8Array,
    readonly areAnew = false,
  ) {
    this.#secret = secret;
    this.#key = keyFor(secret, 'names in the log');
  }

  /** What stands for it, in hex; another `kind` of names has others. */
  nameOf(kind: string, what: string): string {
    return createHmac('sha256', this.#key)
      .update(JSON.stringify([kind, what]))
      .digest('hex');
  }

  /** A key for what the log has sealed for this server alone: as the names, it stays the same where the server signs with another. */
  sealingKeyFor(purpose: string): Buffer {
    return keyFor(this.#secret, purpose);
  }
}
