import type { ServerName } from '#kernel/ids';
import type { VerifyKey } from '#protocol/signing/signing-key';

/** A server's signing key as far as this server knows it. */
export interface ServerKey {
  readonly key: VerifyKey;
  /**
   * Milliseconds since the epoch: the lesser of `valid_until_ts` and seven days after it was fetched; of an old key, its
   * `expired_ts`.
   */
  readonly validUntil: number;
  /** It is among the server's old keys: nothing that is fetched makes it valid for longer. */
  readonly isOld: boolean;
}

/** The keys that are known now, from memory. Asking another server for one is the business of who calls. */
export interface ServerKeys {
  find(serverName: ServerName, keyId: string): ServerKey | undefined;
}

/** Injection token of the ServerKeys: federation implements them. */
export const SERVER_KEYS = Symbol.for('annals.ServerKeys');

/** A key that could make a signature count. */
export interface WantedKey {
  readonly serverName: ServerName;
  readonly keyId: string;
  /** When it must be valid, in milliseconds since the epoch: `minimum_valid_until_ts`. */
  readonly validAt: number;
}
