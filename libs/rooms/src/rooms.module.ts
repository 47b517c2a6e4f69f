import { Global, Module } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { ROOMS_IN_COMMON } from '#accounts/rooms-in-common';
import { CreateRoomController } from './doors/create-room.controller.js';
import { FindEventsController } from './doors/find-events.controller.js';
import { HierarchyController } from './doors/hierarchy.controller.js';
import { MutualRoomsController } from './doors/mutual-rooms.controller.js';
import { ThreadSubscriptionController } from './doors/thread-subscription.controller.js';
import { ThreadsController } from './doors/threads.controller.js';
import { MembershipController } from './doors/membership.controller.js';
import { NamedRooms } from './doors/named-rooms.js';
import { MessagesController } from './doors/messages.controller.js';
import { RetentionController } from './doors/retention.controller.js';
import { SendController } from './doors/send.controller.js';
import { StateController } from './doors/state.controller.js';
import { CreateRoomV1Controller } from './doors/v1/create-room-v1.controller.js';
import { MembershipV1Controller } from './doors/v1/membership-v1.controller.js';
import { MemberStateV1Controller } from './doors/v1/member-state-v1.controller.js';
import { ReadV1Controller } from './doors/v1/read-v1.controller.js';
import { SendV1Controller } from './doors/v1/send-v1.controller.js';
import { ROOM_WRITING } from './room-writing.js';
import { RoomsData } from './personal-data/rooms-data.js';
import { ClosestEvents } from './queries/closest-events.js';
import { FillGaps } from './queries/fill-gaps.js';
import { ServerAcls } from './queries/server-acls.js';
import { ServingSources } from './queries/serving-sources.js';
import { JoinedInCommon } from './joined-in-common.js';
import { ForgottenSnapshots } from './forgotten-snapshots.js';
import { ReceivedEvents } from './queries/received-events.js';
import { HeldInvitations } from './commands/held-invitations.js';
import { MembershipsElsewhere } from './commands/memberships-elsewhere.js';
import { ThreadSubscriptions } from './commands/thread-subscriptions.js';
import { RoomWorkers } from './worker/room-workers.js';

/** Rooms: their write side and the doors of today and of 2014/15. */
@Global()
@Module({
  imports: [CqrsModule],
  controllers: [
    CreateRoomController,
    FindEventsController,
    HierarchyController,
    MutualRoomsController,
    ThreadSubscriptionController,
    ThreadsController,
    MembershipController,
    MessagesController,
    RetentionController,
    SendController,
    StateController,
    CreateRoomV1Controller,
    MembershipV1Controller,
    MemberStateV1Controller,
    ReadV1Controller,
    SendV1Controller,
  ],
  providers: [
    ...ROOM_WRITING,
    RoomsData,
    ClosestEvents,
    FillGaps,
    ForgottenSnapshots,
    NamedRooms,
    { provide: ROOMS_IN_COMMON, useClass: JoinedInCommon },
  ],
  exports: [
    HeldInvitations,
    MembershipsElsewhere,
    ReceivedEvents,
    ROOMS_IN_COMMON,
    RoomWorkers,
    ServerAcls,
    ServingSources,
    ThreadSubscriptions,
  ],
})
export class RoomsModule {}
