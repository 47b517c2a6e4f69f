import { Global, Module } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { CONFIG, type Config } from '#config/config';
import { ErrorFilter } from './error-filter.js';
import { connectorOptionsOf } from './outgoing/connector-options.js';
import { Outgoing } from './outgoing/outgoing.js';
import { RateLimits } from './rate-limits.js';

const outgoing = {
  provide: Outgoing,
  inject: [CONFIG],
  useFactory: (config: Config) => new Outgoing(connectorOptionsOf(config)),
};

/** What all doors share, and what speaks to others. Needs CONFIG and CLOCK, and ACCESS_TOKENS for the guard, from global modules. */
@Global()
@Module({
  providers: [RateLimits, outgoing, { provide: APP_FILTER, useClass: ErrorFilter }],
  exports: [RateLimits, Outgoing],
})
export class HttpModule {}
