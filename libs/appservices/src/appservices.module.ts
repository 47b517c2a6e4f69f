import { Module } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { ServiceClient } from './asking/service-client.js';
import { SendToServices } from './sending/send-to-services.effect.js';
import { ServiceNotes } from './sending/service-notes.js';
import { ServiceSending } from './sending/service-sending.js';
import { TransactionTexts } from './sending/transaction-texts.js';

/** What application services are told and asked. Needs AppServices, EVENT_STORE, VIEWS, CLOCK, LOGGER and CONFIG from global modules. */
@Module({
  imports: [CqrsModule],
  providers: [ServiceClient, ServiceNotes, TransactionTexts, ServiceSending, SendToServices],
  exports: [SendToServices],
})
export class AppservicesModule {}
