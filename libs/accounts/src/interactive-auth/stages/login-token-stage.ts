import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { hashSecret, localpartOfLoginToken } from '../../credentials/secrets.js';
import { stagePage } from '../../pages/stage-page.js';
import { findLocalUserId } from '../../user-ids.js';
import type { Purpose } from '../auth-sessions.js';
import { StageFailed } from '../interaction-required.js';
import type { Dialect, PageContext, Passage, Stage, StageView, Standing } from '../stage.js';
import { StageRegistry } from '../stage-registry.js';

const INPUT = '<label for="token">Login token</label><input id="token" name="token" autocomplete="off" required>';

/**
 * `m.login.token`: by a token for one session, which who is logged in made for another client (POST /login/get_token), or which came behind
 * single sign-on. Whether it is good decides the log-in, which uses it up.
 */
@Injectable()
export class LoginTokenStage implements Stage {
  readonly type = 'm.login.token';
  readonly rank = 60;
  readonly way = 'an account elsewhere';

  constructor(
    registry: StageRegistry,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName' | 'sso' | 'oauth'>,
  ) {
    registry.add(this);
  }

  standingIn(purpose: Purpose, dialect: Dialect): Standing | undefined {
    const { givesLoginTokens, providersFile } = this.config.sso;
    const isInUse = givesLoginTokens || providersFile !== undefined || this.config.oauth;
    return purpose === 'login' && dialect === 'today' && isInUse ? 'alternative' : undefined;
  }

  about(): JsonObject {
    return this.config.sso.givesLoginTokens ? { get_login_token: true } : {};
  }

  async pass({ token }: JsonObject): Promise<Passage> {
    if (token === undefined) throw new MatrixError('M_MISSING_PARAM', 'token: required');
    if (typeof token !== 'string') throw new MatrixError('M_BAD_JSON', 'token: must be a string');
    const { serverName } = this.config;
    const localpart = localpartOfLoginToken(token);
    const userId = localpart === undefined ? undefined : findLocalUserId(`@${localpart}:${serverName}`, serverName);
    if (userId === undefined) throw new StageFailed('M_FORBIDDEN', 'Invalid login token');
    return { isComplete: true, learnt: { userId, loginTokenHash: hashSecret(token) } };
  }

  view({ problem }: PageContext): StageView {
    return { page: stagePage({ title: 'Login token', fields: INPUT, problem }) };
  }
}
