import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { ConfigError } from '#config/config-error';
import type { UserId } from '#kernel/ids';
import type { Operation, Purpose } from './auth-sessions.js';
import type { Dialect, Stage } from './stage.js';
import { StageRegistry } from './stage-registry.js';

/** Stages to be completed in this order. */
export type Flow = readonly string[];

const DUMMY: Flow = ['m.login.dummy'];
const PASSWORD = 'm.login.password';
/**
 * The stages that are passed at the account page, each of which alone does: by the name of the specification, and by the one before it (MSC4312), for which older clients
 * look. `libs/oauth` has them.
 */
export const KEY_RESET_STAGES: readonly string[] = ['m.oauth', 'org.matrix.cross_signing_reset'];

/** Which stages lead to what, as the server is configured: client-server API, "User-Interactive Authentication API"; 2015: "N-Factor". */
@Injectable()
export class Flows implements OnApplicationBootstrap {
  constructor(
    private readonly registry: StageRegistry,
    @Inject(CONFIG) private readonly config: Pick<Config, 'loginFlows' | 'mas'>,
  ) {}

  /** Throws ConfigError where somebody is to log in by what is not there, for nobody could; or by what shows nobody to be who they are, for anybody could. */
  onApplicationBootstrap(): void {
    for (const flow of this.config.loginFlows ?? []) {
      const isWrong = (type: string): boolean => !this.#logsIn(type, 'today');
      const wrong = flow.find(isWrong) ?? (this.#showsNobody(flow) ? flow.join('+') : undefined);
      if (wrong !== undefined) throw new ConfigError(`ANNALS_LOGIN_FLOWS: ${wrong}: nobody can log in by that here`);
    }
  }

  /** Those of a registration. In API v1 each ends with the stage in which user name and password are chosen, or one that makes the account. */
  toRegister(dialect: Dialect): readonly Flow[] {
    const offered = this.#offered('registration', dialect);
    const flows = combine(offered);
    const isNothingNeeded = offered.every(({ standing }) => standing === 'optional');
    if (dialect === 'v1') {
      return [...(isNothingNeeded ? [[]] : []), ...flows].map((flow) => {
        const last = flow.at(-1);
        const isWhole = last !== undefined && this.registry.get(last).makesAccount === true;
        return isWhole ? flow : [...flow, PASSWORD];
      });
    }
    return isNothingNeeded ? [DUMMY, ...flows] : flows;
  }

  /**
   * Those of a log-in, as the operator has them (`ANNALS_LOGIN_FLOWS`), or by each stage that there is for it; none where
   * another service says who everybody is.
   */
  toLogIn(dialect: Dialect): readonly Flow[] {
    const { loginFlows, mas } = this.config;
    if (mas !== undefined) return [];
    if (loginFlows === undefined) return combine(this.#offered('login', dialect));
    return loginFlows.filter((flow) => flow.every((type) => this.#logsIn(type, dialect)));
  }

  /**
   * What somebody does to their own account, `name` as in `Operation`, which they confirm by what they can pass: by password where they
   * can pass nothing.
   */
  async confirmation(name: string, userId: UserId): Promise<Operation> {
    const able: OfferedStage[] = [];
    for (const one of this.#offered('confirmation', 'today')) {
      if ((await one.stage.isFor?.(userId)) !== false) able.push(one);
    }
    const flows = combine(able);
    return { name, purpose: 'confirmation', userId, flows: flows.length === 0 ? [[PASSWORD]] : flows };
  }

  /** What an application does by a session of the OAuth 2.0 API, which its user confirms at the account page. */
  atAccountPage(name: string, userId: UserId): Operation {
    return { name, purpose: 'confirmation', userId, flows: KEY_RESET_STAGES.map((type) => [type]) };
  }

  /** How somebody who cannot log in any more shows that an account is theirs; none where nobody logs in here. */
  toRecover(): readonly Flow[] {
    return this.config.mas !== undefined ? [] : combine(this.#offered('recovery', 'today'));
  }

  #showsNobody(flow: Flow): boolean {
    return flow.every((type) => this.registry.find(type)?.showsNobody === true);
  }

  /** Today's clients may go through the stages of 2015, too, if need be on a page. */
  #logsIn(type: string, dialect: Dialect): boolean {
    const stage = this.registry.find(type);
    const standings = [
      stage?.standingIn('login', 'v1'),
      dialect === 'today' ? stage?.standingIn('login', 'today') : undefined,
    ];
    return standings.some((standing) => standing !== undefined);
  }

  #offered(purpose: Purpose, dialect: Dialect): OfferedStage[] {
    return this.registry.all.flatMap((stage) => {
      const standing = stage.standingIn(purpose, dialect);
      return standing === undefined ? [] : [{ stage, standing }];
    });
  }
}

interface OfferedStage {
  readonly stage: Stage;
  readonly standing: NonNullable<ReturnType<Stage['standingIn']>>;
}

/** What is required and one of the alternatives; what is required alone where nothing else is, or what else there is is optional. */
function combine(offered: readonly OfferedStage[]): Flow[] {
  const required = offered.filter(({ standing }) => standing === 'required').map(({ stage }) => stage.type);
  const others = offered.filter(({ standing }) => standing !== 'required');
  const flows = others.map(({ stage }) => [...required, stage.type]);
  const isAloneEnough = others.every(({ standing }) => standing === 'optional');
  return isAloneEnough && required.length > 0 ? [required, ...flows] : flows;
}
