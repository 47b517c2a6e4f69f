import { Inject, Injectable } from '@nestjs/common';
import { Accounts } from '#accounts/accounts';
import { KEY_RESET_STAGES } from '#accounts/interactive-auth/flows';
import { StageFailed } from '#accounts/interactive-auth/interaction-required';
import { type Passage, PASSED, type Stage, type StageView } from '#accounts/interactive-auth/stage';
import { StageRegistry } from '#accounts/interactive-auth/stage-registry';
import type { AuthSession } from '#accounts/interactive-auth/auth-sessions';
import { trustedSince } from '#accounts/sessions/trusted-since';
import { CONFIG, type Config } from '#config/config';
import { CLOCK, type Clock } from '#kernel/clock';
import type { UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { decideKeyReset } from './decide/sign-ins.js';
import { Mas } from './mas/mas.js';
import { ACTIONS } from './account-actions.js';
import { PAGES } from './oauth-paths.js';
import { KeptSignIns } from './sign-ins.js';

/**
 * What an application goes through that has its session by the OAuth 2.0 API, before it sets other cross-signing keys: its user says at
 * the account page that it may (client-server API, "OAuth authentication"). Passed once by each permission.
 */
class KeyResetStage implements Stage {
  readonly rank = 1_000;
  readonly isPassedElsewhere = true;
  readonly isOfUser = true;

  constructor(
    readonly type: string,
    private readonly page: () => string,
    private readonly accounts: Accounts,
    private readonly signIns: KeptSignIns,
    private readonly clock: Clock,
  ) {}

  /** Of no flow that is made of what there is: it belongs to one operation, of sessions of one kind. */
  standingIn(): undefined {
    return undefined;
  }

  params(): JsonObject {
    return { url: this.page() };
  }

  async pass(_auth: JsonObject, { operation: { userId } }: AuthSession): Promise<Passage> {
    if (userId !== undefined && (await this.#takePermission(userId))) return PASSED;
    throw new StageFailed('M_FORBIDDEN', 'The user has not allowed it at the account page');
  }

  async #takePermission(userId: UserId): Promise<boolean> {
    const since = trustedSince(await this.accounts.load(userId));
    return this.signIns.change(userId, (state) => decideKeyReset(state, this.clock.now(), since));
  }

  view(): StageView {
    return { redirectTo: this.page() };
  }
}

/** Registers the stages by which keys are reset. */
@Injectable()
export class KeyResetStages {
  constructor(
    registry: StageRegistry,
    accounts: Accounts,
    signIns: KeptSignIns,
    @Inject(CLOCK) clock: Clock,
    @Inject(CONFIG) { publicUrl }: Pick<Config, 'publicUrl'>,
    mas: Mas,
  ) {
    // Who comes with a token of the service has had it asked, and it has said by then where its page is.
    const page = (): string => withAction(mas.accountUri ?? publicUrl + PAGES.account, ACTIONS.keyReset);
    for (const type of KEY_RESET_STAGES) registry.add(new KeyResetStage(type, page, accounts, signIns, clock));
  }
}

function withAction(uri: string, action: string): string {
  const url = new URL(uri);
  url.searchParams.set('action', action);
  return url.href;
}
