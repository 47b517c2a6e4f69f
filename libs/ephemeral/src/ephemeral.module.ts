import { Global, Module } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { Receipts } from './commands/receipts.js';
import { SetReadMarksHandler } from './commands/set-read-marks.js';
import { SetTypingHandler } from './commands/set-typing.js';
import { SetPresenceHandler } from './commands/set-presence.js';
import { PresenceController, PresenceV1Controller } from './doors/presence.controller.js';
import { ReceiptsController } from './doors/receipts.controller.js';
import { TypingController } from './doors/typing.controller.js';
import { KeptPresence } from './presence/kept-presence.js';
import { PresenceMarker } from './presence/marks-presence.js';
import { NoteActivity } from './presence/note-activity.js';
import { Presence } from './presence/presence.js';
import { RemotePresence } from './presence/remote-presence.js';
import { GetPresenceHandler } from './queries/get-presence.js';
import { EndTyping } from './typing/end-typing.js';
import { Typing } from './typing/typing.js';

/** Typing notifications, presence, receipts and read markers. `EndTyping` and `NoteActivity` are listeners to be run. Global, for federation tells of them. */
@Global()
@Module({
  imports: [CqrsModule],
  controllers: [PresenceController, PresenceV1Controller, ReceiptsController, TypingController],
  providers: [
    EndTyping,
    GetPresenceHandler,
    KeptPresence,
    NoteActivity,
    Presence,
    PresenceMarker,
    Receipts,
    RemotePresence,
    SetPresenceHandler,
    SetReadMarksHandler,
    SetTypingHandler,
    Typing,
  ],
  exports: [EndTyping, KeptPresence, NoteActivity, Presence, PresenceMarker, Receipts, RemotePresence, Typing],
})
export class EphemeralModule {}
