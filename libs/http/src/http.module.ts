import { Global, Module } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { AppServices } from '#config/appservices/app-services';
import { readRegistrations } from '#config/appservices/read-registrations';
import { CONFIG, type Config } from '#config/config';
import { ErrorFilter } from './error-filter.js';
import { connectorOptionsOf } from './outgoing/connector-options.js';
import { Outgoing } from './outgoing/outgoing.js';
import { RateLimits } from './rate-limits.js';
import { TransactionAnswers } from './transaction-answers.js';

const outgoing = {
  provide: Outgoing,
  inject: [CONFIG],
  useFactory: (config: Config) => new Outgoing(connectorOptionsOf(config)),
};

const appServices = {
  provide: AppServices,
  inject: [CONFIG],
  useFactory: (config: Config) => new AppServices(readRegistrations(config)),
};

/** What all doors share, and what speaks to others. Needs CONFIG and CLOCK, ACCESS_TOKENS and SERVICE_USERS for the guard, from global modules. */
@Global()
@Module({
  providers: [RateLimits, TransactionAnswers, outgoing, appServices, { provide: APP_FILTER, useClass: ErrorFilter }],
  exports: [RateLimits, TransactionAnswers, Outgoing, AppServices],
})
export class HttpModule {}
