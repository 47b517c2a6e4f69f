import { type DynamicModule, Module } from '@nestjs/common';
import { AccountsModule } from '#accounts/accounts.module';
import { AdminModule } from '#admin/admin.module';
import { AppservicesModule } from '#appservices/appservices.module';
import { CallsModule } from '#calls/calls.module';
import { DevicesModule } from '#devices/devices.module';
import { ContactsModule } from '#contacts/contacts.module';
import { DirectoryModule } from '#directory/directory.module';
import { EphemeralModule } from '#ephemeral/ephemeral.module';
import { FederationModule } from '#federation/federation.module';
import { HttpModule } from '#http/http.module';
import { MediaModule } from '#media/media.module';
import { OAuthModule } from '#oauth/oauth.module';
import { ProcessesModule } from '#processes/processes.module';
import { PushModule } from '#push/push.module';
import { RoomsModule } from '#rooms/rooms.module';
import { SearchModule } from '#search/search.module';
import { SsoModule } from '#sso/sso.module';
import { SyncModule } from '#sync/sync.module';
import { HandlerCheck } from './check-handlers.js';
import { OperatorController } from './operator.controller.js';
import { type Ports, PortsModule } from './ports.module.js';
import { WelcomeController } from './welcome.controller.js';

/** The whole server: every domain over one set of ports. */
@Module({})
export class AppModule {
  static of(ports: Ports): DynamicModule {
    return {
      module: AppModule,
      imports: [
        PortsModule.of(ports),
        HttpModule,
        AccountsModule,
        RoomsModule,
        DevicesModule,
        MediaModule,
        DirectoryModule,
        EphemeralModule,
        SearchModule,
        SyncModule,
        ContactsModule,
        FederationModule,
        PushModule,
        AppservicesModule,
        CallsModule,
        SsoModule,
        OAuthModule,
        AdminModule,
        ProcessesModule,
      ],
      controllers: [WelcomeController, OperatorController],
      providers: [HandlerCheck],
    };
  }
}
