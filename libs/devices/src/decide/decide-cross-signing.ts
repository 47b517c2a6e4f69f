import type { UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { listSigningKeyIds } from '#protocol/signing/sign-json';
import type { CrossSigningFact, CrossSigningKeys, KeyUsage } from '../facts/cross-signing-facts.js';
import { checkSignatures, type SigningKeys, withoutSignatures } from './check-signatures.js';
import { keysThatAreNew, publicKeyOf } from './cross-signing-keys.js';

/** An upload of cross-signing keys. */
export interface CrossSigningUpload {
  readonly userId: UserId;
  readonly keys: CrossSigningKeys;
  /** The keys of the user's devices, which may have signed the master key. */
  readonly devices: SigningKeys;
  /** The user has shown who they are. */
  readonly isAuthenticated: boolean;
}

/** What is decided of it: facts, none where nothing is new; or that the user has to show who they are first. */
export type CrossSigningDecision = readonly CrossSigningFact[] | 'needs-authentication';

/**
 * An upload of cross-signing keys (client-server API, "Cross-signing", POST /keys/device_signing/upload). A user who has a master key
 * changes keys, or adds any, only once they have shown who they are; the same keys again change nothing. Of signatures only those are
 * kept that hold: of the master key over the others, of devices over the master key. Throws M_MISSING_PARAM where there is no master key,
 * and M_INVALID_SIGNATURE where it has not signed the others, or a device's signature does not hold.
 */
export function decideCrossSigning(now: CrossSigningKeys, upload: CrossSigningUpload): CrossSigningDecision {
  const { userId, keys, devices, isAuthenticated } = upload;
  const master = keys.master ?? now.master;
  if (master === undefined) throw new MatrixError('M_MISSING_PARAM', 'No master signing key is available');
  const checked: Partial<Record<KeyUsage, JsonObject>> = {};
  if (keys.master !== undefined) checked.master = withoutSignatures(keys.master);
  for (const usage of ['self_signing', 'user_signing'] as const) {
    const key = keys[usage];
    if (key !== undefined) checked[usage] = signedByMaster(master, key, userId);
  }
  const set = keysThatAreNew(now, checked);
  if (Object.keys(set).length === 0) return [];
  if (now.master !== undefined && !isAuthenticated) return 'needs-authentication';
  if (set.master === undefined || keys.master === undefined) return [{ type: 'cross-signing-keys-set', data: set }];
  // With another master key all that it signed is told, also what was here before.
  const facts: CrossSigningFact[] = [{ type: 'cross-signing-keys-set', data: checked }];
  const isSigned = listSigningKeyIds(keys.master, userId).some((keyId) => devices.has(keyId));
  if (!isSigned) return facts;
  const target = { userId, target: publicKeyOf(master), known: master, sent: keys.master };
  return [...facts, { type: 'signatures-added', data: { signatures: checkSignatures(target, userId, devices) } }];
}

/** The key with the signature of the master key alone. */
function signedByMaster(master: JsonObject, key: JsonObject, userId: UserId): JsonObject {
  const publicKey = publicKeyOf(master);
  const by = new Map([[`ed25519:${publicKey}`, publicKey]]);
  const signatures = checkSignatures({ userId, target: publicKeyOf(key), known: key, sent: key }, userId, by);
  const own = Object.fromEntries(signatures.map(({ key_id: keyId, signature }) => [keyId, signature]));
  return { ...key, signatures: { [userId]: own } };
}
