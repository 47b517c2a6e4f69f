import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { CLOCK, type Clock } from '#kernel/clock';
import type { ServerName } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { encodeBase64 } from '#protocol/signing/base64';
import { signJson } from '#protocol/signing/sign-json';
import { parseVerifyKey, SIGNING_KEY, type SigningKey } from '#protocol/signing/signing-key';
import type { ServerKey } from '#rooms/server-keys';

/** So long others may go by our keys without asking again. */
const VALID_MS = 24 * 3600_000;

/** The keys that this server signs with, and signed with before. */
@Injectable()
export class OwnKeys {
  readonly serverName: ServerName;
  readonly #current: ServerKey;

  constructor(
    @Inject(CONFIG) { serverName }: Config,
    @Inject(SIGNING_KEY) private readonly signingKey: SigningKey,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {
    const key = parseVerifyKey(signingKey.publicKey);
    if (key === undefined) throw new Error('the signing key is none');
    this.serverName = serverName;
    this.#current = { key, validUntil: Infinity, isOld: false };
  }

  find(keyId: string): ServerKey | undefined {
    return keyId === this.signingKey.keyId ? this.#current : undefined;
  }

  /** What we publish of our keys: server-server API, "Publishing Keys". */
  document(): JsonObject {
    const { keyId, publicKey } = this.signingKey;
    return this.sign({
      server_name: this.serverName,
      valid_until_ts: this.clock.now() + VALID_MS,
      verify_keys: { [keyId]: { key: encodeBase64(publicKey) } },
      old_verify_keys: {},
    });
  }

  /** An object with our signature besides those that it has. */
  sign(object: JsonObject): JsonObject {
    return signJson(object, this.serverName, this.signingKey);
  }
}
