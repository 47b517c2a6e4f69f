import { hash } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { EndGrantedSession } from '#accounts/commands/end-granted-session';
import { hashSecret } from '#accounts/credentials/secrets';
import { BeginSession, type NewSession } from '#accounts/sessions/begin-session';
import type { IssuedTokens } from '#accounts/sessions/issue-tokens';
import { trustedSince } from '#accounts/sessions/trusted-since';
import { CONFIG, type Config } from '#config/config';
import { CLOCK, type Clock } from '#kernel/clock';
import { isUserId, type UserId } from '#kernel/ids';
import { KeyedQueue } from '#kernel/keyed-queue';
import { MatrixError } from '#kernel/matrix-error';
import { nameOfClient } from '../clients/client.js';
import { decideRedemption, type Redemption } from '../decide/sign-ins.js';
import { DeviceRequests } from '../device-requests.js';
import type { AccessGranted } from '../facts/sign-in-facts.js';
import { OAuthError } from '../oauth-error.js';
import { KeptSignIns } from '../sign-ins.js';

/** What an application shows for its session: client-server API, "Token request". */
export interface CodeShown {
  readonly clientId: string;
  readonly code: string;
  readonly redirectUri: string;
  readonly verifier: string;
}

/** RFC 7636, section 4.1. */
const VERIFIER = /^[\w.~-]{43,128}$/;
const invalid = (): OAuthError => new OAuthError('invalid_grant', 'The code is not valid, or not any more');

/** Gives an application the session that its user let it have, once. */
@Injectable()
export class RedeemGrant {
  /** By the hash of the code: who comes with one that is being used comes too late, and finds what it opened. */
  readonly #turns = new KeyedQueue<string>();

  constructor(
    private readonly signIns: KeptSignIns,
    private readonly sessions: BeginSession,
    private readonly devices: DeviceRequests,
    private readonly commands: CommandBus,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
  ) {}

  /**
   * For a code. Throws OAuthError `invalid_grant`; where the code was used before, the session that was given for it ends: somebody has
   * come by a code that is another's.
   */
  async byCode({ clientId, code, redirectUri, verifier }: CodeShown, requestId: string): Promise<Given> {
    const userId = this.#userOf(code);
    if (userId === undefined || !VERIFIER.test(verifier)) throw invalid();
    const grant = hashSecret(code);
    const challenge = hash('sha256', verifier, 'base64url');
    const shown = { grant, client: hashSecret(clientId), redirectUri, challenge };
    return this.#turns.run(grant, async () => {
      const { grants } = await this.signIns.of(userId);
      const isUsed = grants.has(grant) && grants.get(grant) === undefined;
      if (!isUsed) return this.#redeem(userId, shown, requestId);
      await this.commands.execute(new EndGrantedSession(userId, grant));
      throw invalid();
    });
  }

  /** For the code of a device whose user has let it in. Throws as `DeviceRequests.userOf`, and `invalid_grant` where it has its session. */
  async byDevice(deviceCode: string, clientId: string, requestId: string): Promise<Given> {
    const { userId, grant } = await this.devices.userOf(deviceCode, clientId);
    const shown = { grant, client: hashSecret(clientId), redirectUri: undefined, challenge: undefined };
    return this.#redeem(userId, shown, requestId);
  }

  async #redeem(userId: UserId, shown: Redemption, requestId: string): Promise<Given> {
    let granted: AccessGranted | undefined;
    await this.signIns.change(
      userId,
      (state) => {
        granted = state.grants.get(shown.grant);
        return decideRedemption(state, shown, this.clock.now());
      },
      requestId,
    );
    if (granted === undefined) throw invalid();
    const {
      client,
      client_name,
      client_uri,
      scope,
      grant,
      device_id: deviceId,
      trusted_since: since,
      upstream,
    } = granted;
    const name = client_name === undefined ? {} : { client_name };
    const options = {
      deviceId,
      initialDeviceDisplayName: nameOfClient(granted),
      oauth: { client, ...name, client_uri, scope, grant },
    };
    const check: NewSession['check'] = (account) => {
      if (trustedSince(account) !== since) throw new MatrixError('M_FORBIDDEN', 'The code is not valid any more');
    };
    try {
      const { tokens } = await this.sessions.begin({ userId, options, check, upstream: () => upstream, requestId });
      return { tokens, scope };
    } catch (error) {
      // The account is gone since, has another password, has ended all its sessions, or a key of theirs has the name of the device.
      if (error instanceof MatrixError && error.status < 500) throw new OAuthError('invalid_grant', error.message);
      throw error;
    }
  }

  #userOf(code: string): UserId | undefined {
    const [, localpart, ...rest] = code.split('.');
    if (localpart === undefined || rest.length > 0) return undefined;
    const userId = `@${Buffer.from(localpart, 'base64url').toString()}:${this.config.serverName}`;
    return isUserId(userId) ? userId : undefined;
  }
}

export interface Given {
  readonly tokens: IssuedTokens;
  readonly scope: string;
}
