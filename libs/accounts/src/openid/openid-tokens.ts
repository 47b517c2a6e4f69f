import { createHmac, randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { CLOCK, type Clock } from '#kernel/clock';
import { type DeviceId, isUserId, type UserId } from '#kernel/ids';
import { isSameSecret } from '#kernel/is-same-secret';
import { MatrixError } from '#kernel/matrix-error';
import { keyFor } from '#protocol/signing/key-for';
import { SIGNING_KEY, type SigningKey } from '#protocol/signing/signing-key';
import { Accounts } from '../accounts.js';
import type { Account } from '../decide/account.js';
import { trustedSince } from '../sessions/trusted-since.js';

/** How long an OpenID token can be exchanged. */
export const OPENID_LIFETIME_MS = 60 * 60 * 1000;

/** Whose session a token is issued to. */
export interface OpenIdSession {
  readonly userId: UserId;
  /** Of what an application service asks with no device '': it has no session. */
  readonly deviceId: DeviceId;
}

/** Whose a token is. */
export interface OpenIdOwner extends OpenIdSession {
  /** What `trustedSince` said of the account as the token was looked at. */
  readonly trustedSince: number | undefined;
}

/**
 * Tokens by which other services learn who somebody is (client-server API, module "OpenID"). A token carries the user id, the device, which of
 * its log-ins it was issued in, its end and a MAC under a key made of the server's signing key: nothing is stored, and every process of the
 * server knows it.
 */
@Injectable()
export class OpenIdTokens {
  readonly #key: Buffer;

  constructor(
    @Inject(SIGNING_KEY) signingKey: SigningKey,
    @Inject(CLOCK) private readonly clock: Clock,
    private readonly accounts: Accounts,
  ) {
    this.#key = keyFor(signingKey.exportSeed(), 'openid token');
  }

  /** A new token for a session of this server. Throws M_UNKNOWN_TOKEN where that has ended meanwhile. */
  async issue({ userId, deviceId }: OpenIdSession): Promise<string> {
    const login = loginOf(await this.accounts.load(userId), deviceId);
    if (login === undefined) throw new MatrixError('M_UNKNOWN_TOKEN');
    const device = Buffer.from(deviceId).toString('base64url');
    const parts = [this.clock.now() + OPENID_LIFETIME_MS, randomBytes(9).toString('base64url'), device, login, userId];
    const claim = parts.join(' ');
    return `${Buffer.from(claim).toString('base64url')}.${this.#macOf(claim).toString('base64url')}`;
  }

  /**
   * To whom a token was issued by this server, by the log as it stands; undefined where it was not, or has ended, or the session in which it was asked for has (also
   * where another one has its device since), or the account is gone, locked or suspended.
   */
  async findOwner(token: string): Promise<OpenIdOwner | undefined> {
    const claim = this.#read(token);
    if (claim === undefined) return undefined;
    const { userId, deviceId, login } = claim;
    const account = await this.accounts.load(userId);
    if (!account.exists || account.deactivated || account.locked || account.suspended) return undefined;
    if (loginOf(account, deviceId) !== login) return undefined;
    return { userId, deviceId, trustedSince: trustedSince(account) };
  }

  #read(token: string): (OpenIdSession & { readonly login: string }) | undefined {
    const [encoded = '', mac = '', ...rest] = token.split('.');
    const claim = Buffer.from(encoded, 'base64url').toString('utf8');
    if (rest.length > 0 || !isSameSecret(Buffer.from(mac, 'base64url'), this.#macOf(claim))) return undefined;
    const [end = '', , device = '', login = '', ...user] = claim.split(' ');
    const userId = user.join(' ');
    if (Number(end) <= this.clock.now() || !isUserId(userId)) return undefined;
    return { userId, deviceId: Buffer.from(device, 'base64url').toString() as DeviceId, login }; // written above
  }

  #macOf(claim: string): Buffer {
    return createHmac('sha256', this.#key).update(claim).digest();
  }
}

/** Which log-in of a device holds, in a claim; undefined where none does. */
function loginOf({ devices }: Account, deviceId: DeviceId): string | undefined {
  return deviceId === '' ? '' : devices.get(deviceId)?.login.toString();
}
