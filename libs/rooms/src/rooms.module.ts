import { Global, Module } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { PROFILE_IN_ROOMS } from '#accounts/profile-in-rooms';
import { AnnounceProfile } from './commands/announce-profile.js';
import { CreateRoomController } from './doors/create-room.controller.js';
import { MembershipController } from './doors/membership.controller.js';
import { MessagesController } from './doors/messages.controller.js';
import { SendController } from './doors/send.controller.js';
import { StateController } from './doors/state.controller.js';
import { ROOM_WRITING } from './room-writing.js';
import { RoomWorkers } from './worker/room-workers.js';

/** Rooms: their write side and today's doors. Global: accounts tell rooms of changed profiles through PROFILE_IN_ROOMS. */
@Global()
@Module({
  imports: [CqrsModule],
  controllers: [CreateRoomController, MembershipController, MessagesController, SendController, StateController],
  providers: [...ROOM_WRITING, { provide: PROFILE_IN_ROOMS, useExisting: AnnounceProfile }],
  exports: [RoomWorkers, PROFILE_IN_ROOMS],
})
export class RoomsModule {}
