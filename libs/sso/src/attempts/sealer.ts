import { Inject, Injectable } from '@nestjs/common';
import { CLOCK, type Clock } from '#kernel/clock';
import { keyFor } from '#protocol/signing/key-for';
import { openText, sealText } from '#protocol/signing/sealed-text';
import { SIGNING_KEY, type SigningKey } from '#protocol/signing/signing-key';

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
    return sealText(this.#key, JSON.stringify({ value, until: this.clock.now() + lifetimeMs }), use);
  }

  /** What was sealed for this use; undefined where it was not sealed here, or its time is over. */
  open(use: string, sealed: string): unknown {
    const text = openText(this.#key, sealed, use);
    if (text === undefined) return undefined;
    const { value, until } = JSON.parse(text) as { value: unknown; until: number }; // as `seal` wrote it
    return until > this.clock.now() ? value : undefined;
  }
}
