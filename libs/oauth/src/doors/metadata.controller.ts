import { Controller, Get, Inject, UseGuards } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { RateLimited } from '#http/rate-limited';
import { RawJson } from '#http/raw-json';
import { OAuthIsOn } from '../oauth-is-on.js';
import { serverMetadata } from '../server-metadata.js';

/** Where applications learn of the authorisation server: client-server API, "Server metadata discovery", also as before it was there; RFC 8414. */
@UseGuards(OAuthIsOn)
@RateLimited('default')
@Controller()
export class MetadataController {
  readonly #metadata: RawJson;

  constructor(@Inject(CONFIG) { publicUrl }: Pick<Config, 'publicUrl'>) {
    this.#metadata = new RawJson(JSON.stringify(serverMetadata(publicUrl)));
  }

  @Get([
    '_matrix/client/v1/auth_metadata',
    '_matrix/client/unstable/org.matrix.msc2965/auth_metadata',
    '.well-known/oauth-authorization-server',
  ])
  metadata(): RawJson {
    return this.#metadata;
  }
}
