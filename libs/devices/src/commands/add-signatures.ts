import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { DeviceId, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { CrossSigning } from '../cross-signing.js';
import { readDeviceSigningKeys } from '../queries/device-signing-keys.js';
import { checkSignatures, type SigningKeys } from '../decide/check-signatures.js';
import { publicKeyOf } from '../decide/cross-signing-keys.js';
import type { CrossSigningKeys, KeySignature } from '../facts/cross-signing-facts.js';
import { readCrossSigningKeys } from '../queries/seen-signatures.js';
import { KEY_SIGNATURES } from '../projections/cross-signing.projector.js';
import { DEVICE_KEYS } from '../projections/device-keys.projector.js';

/** A key that the requester sent with signatures of theirs: by its owner and its name. */
export interface SentKey {
  readonly userId: UserId;
  /** A device's id, or a master key in base64. */
  readonly target: string;
  readonly key: JsonObject;
}

export interface SignatureFailure extends Omit<SentKey, 'key'> {
  readonly error: MatrixError;
}

/**
 * Publishes signatures of the requester: over their devices by their self-signing key, over their master key by their devices, and over
 * the master keys of others by their user-signing key (client-server API, "Cross-signing", POST /keys/signatures/upload). Each that
 * holds is kept; answers which keys failed, and why.
 */
export class AddSignatures extends Command<readonly SignatureFailure[]> {
  constructor(
    readonly requester: Requester,
    readonly sent: readonly SentKey[],
  ) {
    super();
  }
}

@CommandHandler(AddSignatures)
export class AddSignaturesHandler implements ICommandHandler<AddSignatures> {
  constructor(
    private readonly crossSigning: CrossSigning,
    @Inject(VIEWS) private readonly views: Views,
  ) {}

  async execute({ requester, sent }: AddSignatures): Promise<readonly SignatureFailure[]> {
    const own = await readCrossSigningKeys(this.views, requester.userId);
    const signatures: KeySignature[] = [];
    const failures: SignatureFailure[] = [];
    for (const { userId, target, key } of sent) {
      try {
        signatures.push(...(await this.#check(requester.userId, own, { userId, target, key })));
      } catch (error) {
        if (!(error instanceof MatrixError)) throw error;
        failures.push({ userId, target, error });
      }
    }
    const added = await this.#withoutKnown(requester.userId, signatures);
    if (added.length > 0) {
      await this.crossSigning.change(requester, () => [{ type: 'signatures-added', data: { signatures: added } }]);
    }
    return failures;
  }

  async #check(signer: UserId, own: CrossSigningKeys, { userId, target, key }: SentKey): Promise<KeySignature[]> {
    const { master } = userId === signer ? own : await readCrossSigningKeys(this.views, userId);
    if (master !== undefined && publicKeyOf(master) === target) {
      const by = userId === signer ? await readDeviceSigningKeys(this.views, signer) : keyOf(own.user_signing);
      return checkSignatures({ userId, target, known: master, sent: key }, signer, by);
    }
    const device = userId === signer ? await DEVICE_KEYS.get(this.views, [userId, target as DeviceId]) : undefined;
    if (device === undefined) throw new MatrixError('M_NOT_FOUND', 'No such key');
    return checkSignatures({ userId, target, known: device.device_keys, sent: key }, signer, keyOf(own.self_signing));
  }

  async #withoutKnown(signer: UserId, signatures: readonly KeySignature[]): Promise<readonly KeySignature[]> {
    const known = await KEY_SIGNATURES.getMany(
      this.views,
      signatures.map(({ user_id: userId, target, key_id: keyId }) => [userId, signer, target, keyId]),
    );
    return signatures.filter(({ signature, signed }, i) => {
      const row = known[i];
      return row?.signature !== signature || row.signed !== signed;
    });
  }
}

function keyOf(key: JsonObject | undefined): SigningKeys {
  return key === undefined ? new Map() : new Map([[`ed25519:${publicKeyOf(key)}`, publicKeyOf(key)]]);
}
