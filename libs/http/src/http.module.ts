import { Global, Module } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { ErrorFilter } from './error-filter.js';
import { RateLimits } from './rate-limits.js';

/** What all doors share. Needs CONFIG and CLOCK, and ACCESS_TOKENS for the guard, from global modules. */
@Global()
@Module({
  providers: [RateLimits, { provide: APP_FILTER, useClass: ErrorFilter }],
  exports: [RateLimits],
})
export class HttpModule {}
