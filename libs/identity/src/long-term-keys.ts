import { Inject, Injectable } from '@nestjs/common';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import { findLogIdentity } from '#event-store/log-identity';
import { decodeBase64, encodeBase64 } from '#protocol/signing/base64';
import { SIGNING_KEY, type SigningKey } from '#protocol/signing/signing-key';

/** The long-term keys of the identity server: those that this server signs with in all else. Identity service API, "Key management". */
@Injectable()
export class LongTermKeys {
  constructor(
    @Inject(SIGNING_KEY) private readonly key: SigningKey,
    @Inject(EVENT_STORE) private readonly store: Pick<EventStore, 'readStream'>,
  ) {}

  /** The key of now, in unpadded base64. */
  get now(): string {
    return encodeBase64(this.key.publicKey);
  }

  /** A key by its id, also one of before, in unpadded base64; undefined where there is none. */
  async find(keyId: string): Promise<string | undefined> {
    if (keyId === this.key.keyId) return this.now;
    const identity = await findLogIdentity(this.store);
    return identity?.keys.find((one) => one.key_id === keyId)?.public_key;
  }

  /** Whether it is the key of now, in either alphabet of base64. */
  isValid(publicKey: string): boolean {
    return decodeBase64(publicKey)?.equals(this.key.publicKey) === true;
  }
}
