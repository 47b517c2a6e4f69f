import { Global, Module } from '@nestjs/common';
import { Mailer } from './mailer.js';

/** Mails to people. Needs CONFIG and RateLimits from global modules. */
@Global()
@Module({ providers: [Mailer], exports: [Mailer] })
export class MailModule {}
