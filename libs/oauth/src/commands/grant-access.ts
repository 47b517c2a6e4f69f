import { Inject, Injectable } from '@nestjs/common';
import { Accounts } from '#accounts/accounts';
import { hashSecret, newAuthorisationCode } from '#accounts/credentials/secrets';
import type { UpstreamSession } from '#accounts/facts/login-facts';
import { trustedSince } from '#accounts/sessions/trusted-since';
import { CLOCK, type Clock } from '#kernel/clock';
import { localpartOf, type UserId } from '#kernel/ids';
import type { AuthorisationRequest } from '../authorisation-request.js';
import type { DeviceRequest } from '../device-requests.js';
import { KeptSignIns } from '../sign-ins.js';

/** How long an application may take to come for its session (RFC 6749, section 4.1.2: ten minutes at most). */
const CODE_LIFETIME_MS = 2 * 60 * 1000;

/** Who lets it in, and by which provider of accounts they are signed in. */
export interface Granting {
  readonly userId: UserId;
  readonly upstream?: UpstreamSession;
}

/** Notes that a user lets an application have a session. */
@Injectable()
export class GrantAccess {
  constructor(
    private readonly accounts: Accounts,
    private readonly signIns: KeptSignIns,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** By way of the browser: answers the code that it is to be sent with. The code says whose it is, so that no view is needed to find it. */
  async byCode(who: Granting, request: AuthorisationRequest, requestId: string): Promise<string> {
    const code = `${newAuthorisationCode()}.${Buffer.from(localpartOf(who.userId)).toString('base64url')}`;
    const { redirectUri, challenge } = request;
    const to = { redirect_uri: redirectUri, challenge, expires_at: this.clock.now() + CODE_LIFETIME_MS };
    await this.#grant(who, { ...request, grant: hashSecret(code) }, to, requestId);
    return code;
  }

  /** To a device that asks by itself, as long as it may. */
  byDevice(who: Granting, request: DeviceRequest, requestId: string): Promise<void> {
    return this.#grant(who, request, { expires_at: request.expiresAt }, requestId);
  }

  async #grant(
    { userId, upstream }: Granting,
    { client, clientId, scope, grant }: Pick<DeviceRequest, 'client' | 'clientId' | 'scope' | 'grant'>,
    to: { readonly redirect_uri?: string; readonly challenge?: string; readonly expires_at: number },
    requestId: string,
  ): Promise<void> {
    const since = trustedSince(await this.accounts.load(userId));
    const granted = {
      grant,
      client: hashSecret(clientId),
      ...(client.client_name === undefined ? {} : { client_name: client.client_name }),
      client_uri: client.client_uri,
      scope: scope.text,
      device_id: scope.deviceId,
      ...to,
      ...(since === undefined ? {} : { trusted_since: since }),
      ...(upstream === undefined ? {} : { upstream }),
    };
    await this.signIns.change(userId, () => [{ type: 'access-granted', data: granted }], requestId);
  }
}
