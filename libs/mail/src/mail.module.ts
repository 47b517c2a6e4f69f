import { Global, Module } from '@nestjs/common';
import { Mailer } from './mailer.js';

/** Mails to people. Needs CONFIG from a global module. */
@Global()
@Module({ providers: [Mailer], exports: [Mailer] })
export class MailModule {}
