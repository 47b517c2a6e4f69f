import { Module } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { PushModule } from '#push/push.module';
import { SendNoticeHandler } from './commands/send-notice.js';
import { NoticeRooms } from './notices/notice-rooms.js';
import { ReportContentHandler } from './commands/report-content.js';
import { PurgesController } from './doors/purges.controller.js';
import { RedactionsController } from './doors/redactions.controller.js';
import { NoticesController } from './doors/notices.controller.js';
import { ReportsController } from './doors/reports.controller.js';
import { UserPushersController } from './doors/pushers.controller.js';
import { RateLimitsController } from './doors/rate-limits.controller.js';
import { RegistrationTokensController } from './doors/registration-tokens.controller.js';
import { RestrictionsController } from './doors/restrictions.controller.js';
import { ErasuresController } from './doors/erasures.controller.js';
import { ErasureAdministration } from './erasures/erasure-administration.js';
import { ErasuresModule } from './erasures/erasures.module.js';
import { RoomAdministration } from './purges/room-administration.js';
import { RoomPurges } from './purges/room-purges.js';
import { SharedSecretRegistrationController } from './doors/shared-secret-registration.controller.js';
import { Users } from './users/users.js';
import { UserRedactions } from './redactions/user-redactions.js';
import { UserActionsController } from './doors/user-actions.controller.js';
import { UserDevicesController } from './doors/user-devices.controller.js';
import { UserLookupsController } from './doors/user-lookups.controller.js';
import { UsersController } from './doors/users.controller.js';
import { WhoisController } from './doors/whois.controller.js';
import { ReportsData } from './reports/reports-data.js';
import { Reports } from './reports/reports.js';
import { RegistrationNonces } from './shared-secret/registration-nonces.js';

/**
 * What tools of operators call, and what users tell operators. Needs CONFIG, CLOCK, EVENT_STORE, VIEWS and ALIAS_BOOK from global modules, and the command
 * handlers of accounts.
 */
@Module({
  imports: [CqrsModule, ErasuresModule, PushModule],
  controllers: [
    SharedSecretRegistrationController,
    ReportsController,
    WhoisController,
    RestrictionsController,
    RateLimitsController,
    UserPushersController,
    RegistrationTokensController,
    RedactionsController,
    NoticesController,
    PurgesController,
    ErasuresController,
    UsersController,
    UserActionsController,
    UserDevicesController,
    UserLookupsController,
  ],
  providers: [
    ReportsData,
    RegistrationNonces,
    Reports,
    ReportContentHandler,
    UserRedactions,
    Users,
    NoticeRooms,
    SendNoticeHandler,
    RoomPurges,
    RoomAdministration,
    ErasureAdministration,
  ],
  exports: [RoomPurges, ErasuresModule],
})
export class AdminModule {}
