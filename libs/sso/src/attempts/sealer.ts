import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { CLOCK, type Clock } from '#kernel/clock';
import { keyFor } from '#protocol/signing/key-for';
import { SIGNING_KEY, type SigningKey } from '#protocol/signing/signing-key';

const ALGORITHM = 'aes-256-gcm';
const IV_BYTES = 12;
const TAG_BYTES = 16;

/**
 * Seals what others keep for this server, so that they can neither read nor change it. The key is made of the signing key: every process of
 * the server opens it, also after a restart; after another signing key it cannot be opened any more.
 */
@Injectable()
export class Sealer {
  readonly #key: Buffer;

  constructor(
    @Inject(SIGNING_KEY) signingKey: SigningKey,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {
    this.#key = keyFor(signingKey.exportSeed(), 'sso attempt');
  }

  /** `value`, which JSON can tell, as a text of the letters of base64url. It can be opened for `lifetimeMs`, by the same `use` of it. */
  seal(use: string, value: unknown, lifetimeMs: number): string {
    const text = JSON.stringify({ value, until: this.clock.now() + lifetimeMs });
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv(ALGORITHM, this.#key, iv).setAAD(Buffer.from(use));
    const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
    return Buffer.concat([iv, cipher.getAuthTag(), sealed]).toString('base64url');
  }

  /** What was sealed for this use; undefined where it was not sealed here, or its time is over. */
  open(use: string, sealed: string): unknown {
    const bytes = Buffer.from(sealed, 'base64url');
    if (bytes.length <= IV_BYTES + TAG_BYTES) return undefined;
    const decipher = createDecipheriv(ALGORITHM, this.#key, bytes.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES })
      .setAAD(Buffer.from(use))
      .setAuthTag(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES));
    try {
      const text = Buffer.concat([decipher.update(bytes.subarray(IV_BYTES + TAG_BYTES)), decipher.final()]).toString();
      const { value, until } = JSON.parse(text) as { value: unknown; until: number }; // as `seal` wrote it
      return until > this.clock.now() ? value : undefined;
    } catch {
      return undefined;
    }
  }
}
