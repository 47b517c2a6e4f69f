import { readFileSync } from 'node:fs';
import { Global, Module } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { CONFIG, type Config } from '#config/config';
import { ErrorFilter } from './error-filter.js';
import { Outgoing } from './outgoing/outgoing.js';
import { RateLimits } from './rate-limits.js';

/** How long a try to connect to another server may take. */
const CONNECT_MS = 10_000;

const outgoing = {
  provide: Outgoing,
  inject: [CONFIG],
  useFactory: ({ tlsCa, federationAllowPrivate }: Config) =>
    new Outgoing({
      ca: tlsCa === undefined ? undefined : readFileSync(tlsCa, 'utf8'),
      allowPrivate: federationAllowPrivate,
      connectMs: CONNECT_MS,
    }),
};

/** What all doors share, and what speaks to others. Needs CONFIG and CLOCK, and ACCESS_TOKENS for the guard, from global modules. */
@Global()
@Module({
  providers: [RateLimits, outgoing, { provide: APP_FILTER, useClass: ErrorFilter }],
  exports: [RateLimits, Outgoing],
})
export class HttpModule {}
