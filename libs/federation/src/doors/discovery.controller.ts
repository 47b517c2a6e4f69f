import { Controller, Get, Inject } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { RawJson } from '#http/raw-json';
import { RateLimited } from '#http/rate-limited';
import { MatrixError } from '#kernel/matrix-error';
import { SOFTWARE } from '#kernel/software';
import { FederatedServers } from '../peers/federated-servers.js';

const VERSION = new RawJson(JSON.stringify({ server: SOFTWARE }));

/** What this server says of itself to whoever looks for it. */
@RateLimited('default')
@Controller()
export class DiscoveryController {
  readonly #server: RawJson | undefined;
  readonly #support: RawJson | undefined;

  constructor(
    @Inject(CONFIG) { federationAddress, support }: Pick<Config, 'federationAddress' | 'support'>,
    private readonly servers: FederatedServers,
  ) {
    if (federationAddress !== undefined) this.#server = jsonOf({ 'm.server': federationAddress });
    const { matrixId: matrix_id, email: email_address, page: support_page } = support;
    const hasContact = matrix_id !== undefined || email_address !== undefined;
    const contacts = hasContact ? [{ role: 'm.role.admin', matrix_id, email_address }] : undefined;
    if (contacts !== undefined || support_page !== undefined) this.#support = jsonOf({ contacts, support_page });
  }

  /** Where other servers find this one: server-server API, "Server discovery". */
  @Get('.well-known/matrix/server')
  server(): RawJson {
    return orNotFound(this.servers.isOn ? this.#server : undefined);
  }

  /** Whom to write to: client-server API, "Server administration". */
  @Get('.well-known/matrix/support')
  support(): RawJson {
    return orNotFound(this.#support);
  }

  /** What runs here: server-server API, "Server implementation". Whoever checks whether a server federates asks this first. */
  @Get('_matrix/federation/v1/version')
  version(): RawJson {
    if (!this.servers.isOn) throw new MatrixError('M_UNRECOGNIZED', 'This server speaks to no others');
    return VERSION;
  }
}

function jsonOf(body: object): RawJson {
  return new RawJson(JSON.stringify(body));
}

function orNotFound(answer: RawJson | undefined): RawJson {
  if (answer === undefined) throw new MatrixError('M_NOT_FOUND');
  return answer;
}
