import { Inject, Injectable } from '@nestjs/common';
import { StageFailed } from '#accounts/interactive-auth/interaction-required';
import { type Passage, PASSED, type Stage, type StageView } from '#accounts/interactive-auth/stage';
import { StageRegistry } from '#accounts/interactive-auth/stage-registry';
import type { AuthSession } from '#accounts/interactive-auth/auth-sessions';
import { CONFIG, type Config } from '#config/config';
import { CLOCK, type Clock } from '#kernel/clock';
import type { JsonObject } from '#kernel/json';
import { decideKeyReset } from './decide/sign-ins.js';
import { hrefOf } from './pages/account-pages.js';
import { KeptSignIns } from './sign-ins.js';

/** By the name of the specification, and the one before it (MSC4312), for which clients look. */
export const KEY_RESET_STAGES = ['m.oauth', 'org.matrix.cross_signing_reset'] as const;

/**
 * What an application goes through that has its session by the OAuth 2.0 API, before it sets other cross-signing keys: its user says at
 * the account page that it may (client-server API, "OAuth authentication"). Passed once by each permission.
 */
class KeyResetStage implements Stage {
  readonly rank = 1_000;
  readonly isPassedElsewhere = true;

  constructor(
    readonly type: string,
    private readonly url: string,
    private readonly signIns: KeptSignIns,
    private readonly clock: Clock,
  ) {}

  /** Of no flow that is made of what there is: it belongs to one operation, of sessions of one kind. */
  standingIn(): undefined {
    return undefined;
  }

  params(): JsonObject {
    return { url: this.url };
  }

  async pass(_auth: JsonObject, { operation: { userId } }: AuthSession): Promise<Passage> {
    const isAllowed =
      userId !== undefined && (await this.signIns.change(userId, (state) => decideKeyReset(state, this.clock.now())));
    if (isAllowed) return PASSED;
    throw new StageFailed('M_FORBIDDEN', 'The user has not allowed it at the account page');
  }

  view(): StageView {
    return { redirectTo: this.url };
  }
}

/** Registers the stages by which keys are reset. */
@Injectable()
export class KeyResetStages {
  constructor(
    registry: StageRegistry,
    signIns: KeptSignIns,
    @Inject(CLOCK) clock: Clock,
    @Inject(CONFIG) { publicUrl }: Pick<Config, 'publicUrl'>,
  ) {
    const url = publicUrl + hrefOf('org.matrix.cross_signing_reset');
    for (const type of KEY_RESET_STAGES) registry.add(new KeyResetStage(type, url, signIns, clock));
  }
}
