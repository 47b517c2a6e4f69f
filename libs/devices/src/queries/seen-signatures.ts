import type { UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { Views } from '#projections/views';
import { addSignature } from '#protocol/signing/sign-json';
import { hashOfSigned, publicKeyOf } from '../decide/cross-signing-keys.js';
import type { CrossSigningKeys } from '../facts/cross-signing-facts.js';
import type { RemoteSigningKeys } from '../facts/remote-device-facts.js';
import { REMOTE_DEVICES } from '../projections/remote-devices.projector.js';
import type { KeyReader } from './user-keys.js';
import { CROSS_SIGNING_KEYS, KEY_SIGNATURES, type KeySignatureRow } from '../projections/cross-signing.projector.js';

interface SeenSignature extends KeySignatureRow {
  readonly signer: UserId;
  readonly target: string;
  readonly keyId: string;
}

/** A user's cross-signing keys, and the signatures over their keys, as one other user is shown them. */
export class SeenSignatures {
  private constructor(
    private readonly keys: CrossSigningKeys,
    private readonly signatures: readonly SeenSignature[],
  ) {}

  /**
   * Reads those of a user for somebody: what the owner signed everybody sees, what others signed only these themselves. `ofReader` are the
   * cross-signing keys of who looks. What a key signed that is replaced by now is not told.
   */
  static async read(
    views: Pick<Views, 'get' | 'scan'>,
    owner: UserId,
    keys: CrossSigningKeys,
    { reader, ofReader }: Pick<KeyReader, 'reader' | 'ofReader'>,
  ): Promise<SeenSignatures> {
    const [bySelf, byReader] = [keys.self_signing, ofReader.user_signing].map(keyIdOf);
    const master = keys.master && publicKeyOf(keys.master);
    const own = master === undefined && bySelf === undefined ? [] : await signaturesOf(views, owner, owner);
    const isSeen = owner !== reader && byReader !== undefined && master !== undefined;
    const others = isSeen ? await signaturesOf(views, owner, reader as UserId) : []; // a server signs no keys of users
    return new SeenSignatures(keys, [
      ...own.filter(({ target, keyId }) => target === master || keyId === bySelf),
      ...others.filter(({ keyId }) => keyId === byReader),
    ]);
  }

  /** The cross-signing keys as they are shown: the user-signing key to its owner alone. */
  shown(isOwner: boolean): CrossSigningKeys {
    const { master, self_signing, user_signing } = this.keys;
    return {
      ...(master === undefined ? {} : { master: this.signed(publicKeyOf(master), master) }),
      ...(self_signing === undefined ? {} : { self_signing }),
      ...(user_signing === undefined || !isOwner ? {} : { user_signing }),
    };
  }

  /** A key with the signatures over it. */
  signed(target: string, key: JsonObject): JsonObject {
    const found = this.signatures.filter((one) => one.target === target);
    if (found.length === 0) return key;
    const hash = hashOfSigned(key);
    let { signatures } = key;
    for (const { signed, signer, keyId, signature } of found) {
      if (signed === hash) signatures = addSignature(signatures, signer, keyId, signature);
    }
    return signatures === undefined ? key : { ...key, signatures };
  }
}

/** The cross-signing keys of a user, as the views have them: of one of another server what that told. */
export async function readCrossSigningKeys(views: Pick<Views, 'get'>, userId: UserId): Promise<CrossSigningKeys> {
  const own = await CROSS_SIGNING_KEYS.get(views, [userId]);
  if (own !== undefined) return own;
  const remote = await REMOTE_DEVICES.get(views, [userId]);
  return remote === undefined ? {} : signingKeysOf(remote);
}

/** The cross-signing keys that another server told of a user. */
export function signingKeysOf({ master_key: master, self_signing_key }: RemoteSigningKeys): CrossSigningKeys {
  return {
    ...(master === undefined ? {} : { master }),
    ...(self_signing_key === undefined ? {} : { self_signing: self_signing_key }),
  };
}

async function signaturesOf(views: Pick<Views, 'scan'>, owner: UserId, signer: UserId): Promise<SeenSignature[]> {
  const rows: SeenSignature[] = [];
  for await (const page of KEY_SIGNATURES.pages(views, { prefix: [owner, signer] })) {
    for (const { key, value } of page) rows.push({ ...value, signer, target: key[2], keyId: key[3] });
  }
  return rows;
}

function keyIdOf(key: JsonObject | undefined): string | undefined {
  return key && `ed25519:${publicKeyOf(key)}`;
}
