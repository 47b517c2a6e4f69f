import { createHmac } from 'node:crypto';
import { keyFor } from '#protocol/signing/key-for';

/**
 * Names in the log, and in views, of what could be guessed, as phone numbers can: of so few there are that a hash of one tells which it is to who tries them all. These
 * tell nobody who has not the key as well, which is not in the log. A name can never be taken out of the log.
 */
export class KeyedNames {
  readonly #key: Buffer;

  /** `secret`: of the key by which this log has its names, its seed. */
  constructor(secret: Uint8Array) {
    this.#key = keyFor(secret, 'names in the log');
  }

  /** What stands for it, in hex; another `kind` of names has others. */
  nameOf(kind: string, what: string): string {
    return createHmac('sha256', this.#key)
      .update(JSON.stringify([kind, what]))
      .digest('hex');
  }
}
