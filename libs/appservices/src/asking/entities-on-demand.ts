import { Inject, Injectable } from '@nestjs/common';
import { Accounts } from '#accounts/accounts';
import type { UsersOnDemand } from '#accounts/users-on-demand';
import type { AppService } from '#config/appservices/app-service';
import { AppServices } from '#config/appservices/app-services';
import { CONFIG, type Config } from '#config/config';
import type { AliasesOnDemand } from '#directory/aliases-on-demand';
import { findAlias } from '#directory/queries/find-alias';
import { type RoomAlias, serverNameOf, type UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { RunsUnderWay } from '#kernel/runs-under-way';
import { LOGGER, type Logger } from '#observability/logger';
import { VIEWS, type Views } from '#projections/views';
import { ServiceClient, ServiceUnreachable } from './service-client.js';

/** "If the homeserver does not receive a response to this request, the homeserver should retry several times before timing out." */
const TRIES = 3;
const WITHIN_MS = 10_000;

/**
 * Asks application services for users and aliases of their namespaces that are not there: they make them before they answer (application
 * service API, "Querying"). However many wait for one, it is asked for once.
 */
@Injectable()
export class EntitiesOnDemand {
  readonly users: Pick<UsersOnDemand, 'make'> = {
    make: (userId) => this.#underWay.run(userId, () => this.#makeUser(userId)),
  };
  readonly aliases: AliasesOnDemand = { make: (alias) => this.#underWay.run(alias, () => this.#makeAlias(alias)) };
  readonly #underWay = new RunsUnderWay<string, void>();

  constructor(
    private readonly services: AppServices,
    private readonly client: ServiceClient,
    private readonly accounts: Accounts,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  async #makeUser(userId: UserId): Promise<void> {
    for (const service of this.#askable((each) => userId !== each.sender && each.hasUser(userId))) {
      if ((await this.accounts.load(userId)).exists) return;
      await this.#ask(service, 'users', userId).catch((error: unknown) => this.#tell(error));
    }
  }

  async #makeAlias(alias: RoomAlias): Promise<void> {
    if (serverNameOf(alias) !== this.config.serverName) return;
    let late: unknown;
    for (const service of this.#askable((each) => each.hasAlias(alias))) {
      const isThere = await this.#ask(service, 'rooms', alias).catch((error: unknown) => {
        this.#tell(error);
        late = error;
        return false;
      });
      if (isThere && (await findAlias(this.views, alias)) !== undefined) return;
    }
    if (late !== undefined) {
      throw new MatrixError('M_UNKNOWN', 'Who makes this room does not answer', { status: 408, cause: late });
    }
  }

  #askable(isFor: (service: AppService) => boolean): AppService[] {
    return this.services.all.filter((service) => service.url !== undefined && isFor(service));
  }

  /** Whether the service says that it is there. Throws ServiceUnreachable. */
  async #ask(service: AppService, kind: 'users' | 'rooms', id: string): Promise<boolean> {
    const path = `/${kind}/${encodeURIComponent(id)}`;
    const request = { method: 'GET', path: `/_matrix/app/v1${path}`, legacyPath: path, withinMs: WITHIN_MS } as const;
    for (let tries = 1; ; tries++) {
      try {
        return (await this.client.ask(service, request)).status === 200;
      } catch (error) {
        if (!(error instanceof ServiceUnreachable) || tries === TRIES) throw error;
      }
    }
  }

  #tell(error: unknown): void {
    if (!(error instanceof ServiceUnreachable)) throw error;
    this.logger.warn(error.message);
  }
}
