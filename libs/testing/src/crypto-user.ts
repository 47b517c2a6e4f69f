import type { JsonObject } from '#kernel/json';
import { encodeBase64 } from '#protocol/signing/base64';
import { signJson } from '#protocol/signing/sign-json';
import { generateSigningKey, type SigningKey } from '#protocol/signing/signing-key';

/** A signing key under a name of its own: its public half, or a device's id. */
export class NamedKey {
  readonly #key: SigningKey = generateSigningKey();
  readonly publicKey = encodeBase64(this.#key.publicKey);

  constructor(private readonly deviceId?: string) {}

  get keyId(): string {
    return `ed25519:${this.deviceId ?? this.publicKey}`;
  }

  /** The object with a signature of this key, by a user. */
  sign<T extends JsonObject>(object: T, userId: string): T & JsonObject {
    const key = this.#key;
    return signJson(object, userId, { ...key, keyId: this.keyId, sign: (message) => key.sign(message) });
  }
}

/** A user who signs: with a device and cross-signing keys that are really theirs. */
export class CryptoUser {
  readonly device: NamedKey;
  readonly master = new NamedKey();
  readonly selfSigning = new NamedKey();
  readonly userSigning = new NamedKey();

  constructor(
    readonly userId: string,
    readonly deviceId: string,
  ) {
    this.device = new NamedKey(deviceId);
  }

  deviceKeys(): JsonObject {
    const keys = {
      user_id: this.userId,
      device_id: this.deviceId,
      algorithms: ['m.olm.v1.curve25519-aes-sha2', 'm.megolm.v1.aes-sha2'],
      keys: { [`curve25519:${this.deviceId}`]: this.master.publicKey, [this.device.keyId]: this.device.publicKey },
    };
    return this.device.sign(keys, this.userId);
  }

  masterKey(): JsonObject {
    return this.#crossSigningKey('master', this.master);
  }

  /** What is uploaded at once: all three keys, signed by the master key. */
  crossSigningKeys(): { master_key: JsonObject; self_signing_key: JsonObject; user_signing_key: JsonObject } {
    return {
      master_key: this.masterKey(),
      self_signing_key: this.master.sign(this.#crossSigningKey('self_signing', this.selfSigning), this.userId),
      user_signing_key: this.master.sign(this.#crossSigningKey('user_signing', this.userSigning), this.userId),
    };
  }

  #crossSigningKey(usage: string, { publicKey }: NamedKey): JsonObject {
    return { user_id: this.userId, usage: [usage], keys: { [`ed25519:${publicKey}`]: publicKey } };
  }
}
