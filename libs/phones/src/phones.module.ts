import { Global, Module } from '@nestjs/common';
import { Texter } from './texter.js';

/** Messages to phones. Needs CONFIG, Outgoing and RateLimits from global modules. */
@Global()
@Module({ providers: [Texter], exports: [Texter] })
export class PhonesModule {}
