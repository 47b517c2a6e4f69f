import { Global, Module } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { GROUPS_OF } from '#accounts/groups-of';
import { INVITE_SIGNALS } from '#rooms/invite-signals';
import { ChangePresenceListHandler } from './commands/change-presence-list.js';
import { Receipts } from './commands/receipts.js';
import { ReportDeviceHandler } from './commands/report-device.js';
import { SetReadMarksHandler } from './commands/set-read-marks.js';
import { SetTypingHandler } from './commands/set-typing.js';
import { SetPresenceHandler } from './commands/set-presence.js';
import { PresenceController, PresenceDeviceController, PresenceV1Controller } from './doors/presence.controller.js';
import { PresenceListController, PresenceListV1Controller } from './doors/presence-list.controller.js';
import { ReceiptsController } from './doors/receipts.controller.js';
import { TypingController } from './doors/typing.controller.js';
import { EphemeralData } from './ephemeral-data.js';
import { PresenceGroups } from './lists/presence-groups.js';
import { PresenceLists } from './lists/presence-lists.js';
import { Subscribers } from './lists/subscribers.js';
import { KeptPresence } from './presence/kept-presence.js';
import { PresenceMarker } from './presence/marks-presence.js';
import { NoteActivity } from './presence/note-activity.js';
import { Presence } from './presence/presence.js';
import { PresenceSignals } from './presence/presence-signals.js';
import { RemotePresence } from './presence/remote-presence.js';
import { GetPresenceHandler } from './queries/get-presence.js';
import { GetPresenceListHandler } from './queries/get-presence-list.js';
import { EndTyping } from './typing/end-typing.js';
import { Typing } from './typing/typing.js';

/** Typing notifications, presence, receipts and read markers. `EndTyping`, `NoteActivity` and `Subscribers` are listeners to be run. Global, for federation tells of them. */
@Global()
@Module({
  imports: [CqrsModule],
  controllers: [
    PresenceListV1Controller,
    PresenceListController,
    PresenceController,
    PresenceDeviceController,
    PresenceV1Controller,
    ReceiptsController,
    TypingController,
  ],
  providers: [
    EphemeralData,
    ChangePresenceListHandler,
    EndTyping,
    GetPresenceHandler,
    GetPresenceListHandler,
    KeptPresence,
    NoteActivity,
    Presence,
    PresenceLists,
    PresenceMarker,
    Receipts,
    RemotePresence,
    ReportDeviceHandler,
    SetPresenceHandler,
    SetReadMarksHandler,
    SetTypingHandler,
    Subscribers,
    Typing,
    { provide: GROUPS_OF, useClass: PresenceGroups },
    { provide: INVITE_SIGNALS, useClass: PresenceSignals },
  ],
  exports: [
    EndTyping,
    GROUPS_OF,
    INVITE_SIGNALS,
    KeptPresence,
    NoteActivity,
    Presence,
    PresenceLists,
    PresenceMarker,
    Receipts,
    RemotePresence,
    Subscribers,
    Typing,
  ],
})
export class EphemeralModule {}
