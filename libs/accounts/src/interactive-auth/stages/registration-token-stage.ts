import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import type { JsonObject } from '#kernel/json';
import { stagePage } from '../../pages/stage-page.js';
import { RegistrationTokens } from '../../registration-tokens.js';
import type { Purpose } from '../auth-sessions.js';
import { StageFailed } from '../interaction-required.js';
import type { PageContext, Passage, Stage, StageView, Standing } from '../stage.js';
import { StageRegistry } from '../stage-registry.js';

const INPUT =
  '<label for="token">Token</label><input id="token" name="token" autocomplete="off" maxlength="64" required>';

/** `m.login.registration_token`, where registration needs one. The registration uses it up. */
@Injectable()
export class RegistrationTokenStage implements Stage {
  readonly type = 'm.login.registration_token';
  readonly rank = 10;

  constructor(
    registry: StageRegistry,
    private readonly tokens: RegistrationTokens,
    @Inject(CONFIG) private readonly config: Pick<Config, 'registration'>,
  ) {
    registry.add(this);
  }

  standingIn(purpose: Purpose): Standing | undefined {
    return purpose === 'registration' && this.config.registration === 'token' ? 'required' : undefined;
  }

  async pass({ token }: JsonObject): Promise<Passage> {
    if (typeof token !== 'string') throw new StageFailed('M_MISSING_PARAM', 'token: required');
    if (!(await this.tokens.isUsable(token))) throw new StageFailed('M_FORBIDDEN', 'Invalid registration token');
    return { isComplete: true, learnt: { registrationToken: token } };
  }

  view({ problem }: PageContext): StageView {
    return { page: stagePage({ title: 'Registration token', fields: INPUT, problem }) };
  }
}
