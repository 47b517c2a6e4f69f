import { Controller, Get, Header, Inject } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { RateLimited } from '#http/rate-limited';
import { welcomePage } from './welcome-page.js';

/** The page that a person sees who opens the server's address in a browser. */
@RateLimited('default')
@Controller()
export class WelcomeController {
  readonly #page: string;

  constructor(@Inject(CONFIG) config: Config) {
    this.#page = welcomePage(config);
  }

  @Get()
  @Header('content-type', 'text/html; charset=utf-8')
  @Header('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
  @Header('cache-control', 'no-store')
  page(): string {
    return this.#page;
  }
}
