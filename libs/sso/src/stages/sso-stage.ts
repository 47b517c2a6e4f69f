import { Inject, Injectable } from '@nestjs/common';
import { ExternalIds } from '#accounts/external-ids';
import type { AuthSession, Purpose } from '#accounts/interactive-auth/auth-sessions';
import { StageFailed } from '#accounts/interactive-auth/interaction-required';
import type { Dialect, PageContext, Passage, Stage, StageView, Standing } from '#accounts/interactive-auth/stage';
import { StageRegistry } from '#accounts/interactive-auth/stage-registry';
import { CONFIG, type Config } from '#config/config';
import type { UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { BegunRequests } from '../begun-requests.js';
import { confirmOperationPage } from '../pages/sso-pages.js';
import { UpstreamProviders } from '../upstream-providers.js';

/**
 * `m.login.sso` (client-server API, "Client login via SSO", "SSO during User-Interactive Authentication"): a log-in goes through
 * `login/sso/redirect` and ends with `m.login.token`; who confirms something shows at a provider once more who they are.
 */
@Injectable()
export class SsoStage implements Stage {
  readonly type = 'm.login.sso';
  readonly rank = 55;
  readonly isPassedElsewhere = true;

  constructor(
    registry: StageRegistry,
    private readonly providers: UpstreamProviders,
    private readonly requests: BegunRequests,
    private readonly externalIds: ExternalIds,
    @Inject(CONFIG) private readonly config: Pick<Config, 'oauth'>,
  ) {
    registry.add(this);
  }

  standingIn(purpose: Purpose, dialect: Dialect): Standing | undefined {
    // Who recovers an account has not said yet whose it is: nobody could be sent to the right provider.
    const isThere = this.providers.all.length > 0;
    const isForThis = purpose === 'login' ? isThere || this.config.oauth : purpose === 'confirmation' && isThere;
    return isForThis && dialect === 'today' ? 'alternative' : undefined;
  }

  async isFor(userId: UserId): Promise<boolean> {
    const known = await this.externalIds.providersOf(userId);
    return this.providers.all.some(({ id }) => known.has(id));
  }

  about(): JsonObject {
    const identityProviders = this.providers.all.map(({ id, name, icon, brand }) => ({
      id,
      name,
      ...(icon === undefined ? {} : { icon }),
      ...(brand === undefined ? {} : { brand }),
    }));
    // Client-server API, "OAuth 2.0 aware clients", and the name before it (MSC3824).
    const preferred = { oauth_aware_preferred: true, 'org.matrix.msc3824.delegated_oidc_compatibility': true };
    return { identity_providers: identityProviders, ...(this.config.oauth ? preferred : {}) };
  }

  async pass(_auth: JsonObject, { operation }: AuthSession): Promise<Passage> {
    if (operation.purpose === 'login') {
      throw new MatrixError('M_UNKNOWN', 'Single sign-on begins at login/sso/redirect', { status: 400 });
    }
    throw new StageFailed('M_FORBIDDEN', 'This stage is completed on its page');
  }

  async view({ session, problem }: PageContext): Promise<StageView> {
    const { operation } = session;
    const { userId } = operation;
    if (userId === undefined) throw new MatrixError('M_UNRECOGNIZED', 'There is no page for this stage');
    const known = await this.externalIds.providersOf(userId);
    const links = this.requests.linksOf({ kind: 'stage', session: session.id, userId }, ({ id }) => known.has(id));
    return { page: confirmOperationPage({ userId, operation: operation.name, links, problem }) };
  }
}
