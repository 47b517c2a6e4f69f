import { createHmac, randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { CLOCK, type Clock } from '#kernel/clock';
import { type DeviceId, isUserId, type UserId } from '#kernel/ids';
import { isSameSecret } from '#kernel/is-same-secret';
import { keyFor } from '#protocol/signing/key-for';
import { SIGNING_KEY, type SigningKey } from '#protocol/signing/signing-key';

/** How long an OpenID token can be exchanged. */
export const OPENID_LIFETIME_MS = 60 * 60 * 1000;

/** Whose session a token was issued to. */
export interface OpenIdOwner {
  readonly userId: UserId;
  /** Of what an application service asks with no device '': it has no session. */
  readonly deviceId: DeviceId;
}

/**
 * Tokens by which other services learn who somebody is (client-server API, module "OpenID"). A token carries the user id, the device, its
 * end and a MAC under a key made of the server's signing key: nothing is stored, and every process of the server knows it.
 */
@Injectable()
export class OpenIdTokens {
  readonly #key: Buffer;

  constructor(
    @Inject(SIGNING_KEY) signingKey: SigningKey,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {
    this.#key = keyFor(signingKey.exportSeed(), 'openid token');
  }

  /** A new token for a user of this server. */
  issue({ userId, deviceId }: OpenIdOwner): string {
    const device = Buffer.from(deviceId).toString('base64url');
    const parts = [this.clock.now() + OPENID_LIFETIME_MS, randomBytes(9).toString('base64url'), device, userId];
    const claim = parts.join(' ');
    return `${Buffer.from(claim).toString('base64url')}.${this.#macOf(claim).toString('base64url')}`;
  }

  /** To whom a token was issued; undefined where it was not issued here, or has ended. */
  findOwner(token: string): OpenIdOwner | undefined {
    const [encoded = '', mac = '', ...rest] = token.split('.');
    const claim = Buffer.from(encoded, 'base64url').toString('utf8');
    if (rest.length > 0 || !isSameSecret(Buffer.from(mac, 'base64url'), this.#macOf(claim))) return undefined;
    const [end = '', , device = '', ...user] = claim.split(' ');
    const userId = user.join(' ');
    if (Number(end) <= this.clock.now() || !isUserId(userId)) return undefined;
    return { userId, deviceId: Buffer.from(device, 'base64url').toString() as DeviceId }; // written above
  }

  #macOf(claim: string): Buffer {
    return createHmac('sha256', this.#key).update(claim).digest();
  }
}
