import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import { findLogIdentity, type KeyInUse } from '#event-store/log-identity';
import { CLOCK, type Clock } from '#kernel/clock';
import type { ServerName } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { encodeBase64 } from '#protocol/signing/base64';
import { signJson } from '#protocol/signing/sign-json';
import { parseVerifyKey, SIGNING_KEY, type SigningKey } from '#protocol/signing/signing-key';
import type { ServerKey } from '#rooms/server-keys';

/** So long others may go by our keys without asking again: a key that was lost is of use to who found it for no longer. */
const VALID_MS = 24 * 3600_000;

/** A key that this server signed with before. */
interface OldKey {
  readonly publicKey: string;
  readonly expiredTs: number;
}

/** The keys that this server signs with, and signed with before: the log names them. */
@Injectable()
export class OwnKeys implements OnModuleInit {
  readonly serverName: ServerName;
  readonly #keys = new Map<string, ServerKey>();
  #old: ReadonlyMap<string, OldKey> = new Map();

  constructor(
    @Inject(CONFIG) { serverName }: Pick<Config, 'serverName'>,
    @Inject(SIGNING_KEY) private readonly signingKey: SigningKey,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(EVENT_STORE) private readonly store: Pick<EventStore, 'readStream'>,
  ) {
    this.serverName = serverName;
    this.#know(signingKey.keyId, signingKey.publicKey, { validUntil: Infinity, isOld: false });
  }

  async onModuleInit(): Promise<void> {
    const identity = await findLogIdentity(this.store);
    this.#old = oldKeysOf(identity?.keys ?? [], this.signingKey.keyId);
    for (const [keyId, { publicKey, expiredTs }] of this.#old) {
      this.#know(keyId, publicKey, { validUntil: expiredTs, isOld: true });
    }
  }

  find(keyId: string): ServerKey | undefined {
    return this.#keys.get(keyId);
  }

  /** What we publish of our keys: server-server API, "Publishing Keys". */
  document(): JsonObject {
    const { keyId, publicKey } = this.signingKey;
    const old = [...this.#old].map(([id, { publicKey: key, expiredTs: expired_ts }]) => [id, { expired_ts, key }]);
    return this.sign({
      server_name: this.serverName,
      valid_until_ts: this.clock.now() + VALID_MS,
      verify_keys: { [keyId]: { key: encodeBase64(publicKey) } },
      old_verify_keys: Object.fromEntries(old) as JsonObject,
    });
  }

  /** An object with our signature besides those that it has. */
  sign(object: JsonObject): JsonObject {
    return signJson(object, this.serverName, this.signingKey);
  }

  #know(keyId: string, publicKey: Buffer | string, validity: Omit<ServerKey, 'key'>): void {
    const key = parseVerifyKey(publicKey);
    if (key === undefined) throw new Error(`the signing key ${keyId} is none`);
    this.#keys.set(keyId, { key, ...validity });
  }
}

/** By key id. Each was in use until the next one was. */
function oldKeysOf(keys: readonly KeyInUse[], current: string): ReadonlyMap<string, OldKey> {
  const old = new Map<string, OldKey>();
  keys.forEach(({ key_id: keyId, public_key: publicKey, since }, i) => {
    if (keyId !== current) old.set(keyId, { publicKey, expiredTs: keys[i + 1]?.since ?? since });
  });
  return old;
}
