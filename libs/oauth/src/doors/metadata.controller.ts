import { Controller, Get, Inject } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { RateLimited } from '#http/rate-limited';
import { RawJson } from '#http/raw-json';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { Mas } from '../mas/mas.js';
import { serverMetadata } from '../server-metadata.js';

/**
 * Where applications learn of the authorisation server, this one or another that is trusted instead: client-server API, "Server metadata
 * discovery", also as before it was there; RFC 8414.
 */
@RateLimited('default')
@Controller()
export class MetadataController {
  readonly #metadata: RawJson;

  constructor(
    @Inject(CONFIG) private readonly config: Pick<Config, 'oauth' | 'publicUrl' | 'registration'>,
    private readonly mas: Mas,
  ) {
    this.#metadata = new RawJson(JSON.stringify(serverMetadata(config)));
  }

  @Get(['_matrix/client/v1/auth_metadata', '_matrix/client/unstable/org.matrix.msc2965/auth_metadata'])
  async metadata(): Promise<RawJson | JsonObject> {
    return this.mas.isOn ? this.mas.metadata() : this.own();
  }

  /** Of the server at this address: what is said of another is at that. Throws M_UNRECOGNIZED where there is none here. */
  @Get('.well-known/oauth-authorization-server')
  own(): RawJson {
    if (!this.config.oauth) throw new MatrixError('M_UNRECOGNIZED', 'There is no such path');
    return this.#metadata;
  }
}
