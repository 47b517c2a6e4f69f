import { Global, Module } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { USERS_ON_DEMAND } from '#accounts/users-on-demand';
import { ALIASES_ON_DEMAND } from '#directory/aliases-on-demand';
import { EntitiesOnDemand } from './asking/entities-on-demand.js';
import { LookedAtUsers } from './asking/looked-at-users.js';
import { ServiceClient } from './asking/service-client.js';
import { NetworksController } from './doors/networks.controller.js';
import { PingController } from './doors/ping.controller.js';
import { AskNetworks } from './networks/ask-networks.js';
import { SendToServices } from './sending/send-to-services.effect.js';
import { ServiceNotes } from './sending/service-notes.js';
import { ServiceSending } from './sending/service-sending.js';
import { TakeCollected } from './sending/take-collected.js';
import { TransactionTexts } from './texts/transaction-texts.js';

const usersOnDemand = { provide: USERS_ON_DEMAND, useExisting: LookedAtUsers };
const aliasesOnDemand = {
  provide: ALIASES_ON_DEMAND,
  inject: [EntitiesOnDemand],
  useFactory: ({ aliases }: EntitiesOnDemand) => aliases,
};

/**
 * What application services are told and asked. Needs AppServices, EVENT_STORE, VIEWS, CLOCK, LOGGER and CONFIG from global modules. Global
 * itself: those below ask for users and aliases on demand.
 */
@Global()
@Module({
  imports: [CqrsModule],
  controllers: [PingController, NetworksController],
  providers: [
    ServiceClient,
    ServiceNotes,
    TransactionTexts,
    TakeCollected,
    ServiceSending,
    SendToServices,
    EntitiesOnDemand,
    LookedAtUsers,
    AskNetworks,
    usersOnDemand,
    aliasesOnDemand,
  ],
  exports: [SendToServices, USERS_ON_DEMAND, ALIASES_ON_DEMAND],
})
export class AppservicesModule {}
