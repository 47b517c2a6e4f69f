import { Global, Module } from '@nestjs/common';
import { HandOver } from './hand-over.js';
import { PersonalData } from './personal-data.js';

/** What this server has of people. Needs CONFIG and CLOCK from global modules. Global itself: each domain that has some adds it. */
@Global()
@Module({ providers: [PersonalData, HandOver], exports: [PersonalData, HandOver] })
export class PersonalDataModule {}
