import { Inject, Module, type OnModuleInit } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { DevicesModule } from '#devices/devices.module';
import { EphemeralModule } from '#ephemeral/ephemeral.module';
import { PushModule } from '#push/push.module';
import { Presence } from '#ephemeral/presence/presence';
import { METRICS, type Metrics } from '#observability/metrics';
import { DeviceListChanges } from './device-lists/device-list-changes.js';
import { EventsController } from './doors/today/events.controller.js';
import { NotificationsController } from './doors/today/notifications.controller.js';
import { KeyChangesController } from './doors/today/key-changes.controller.js';
import { SyncController } from './doors/today/sync.controller.js';
import { UnstableSlidingSyncController } from './doors/unstable/sliding-sync.controller.js';
import { ThreadSubscriptionsController } from './doors/unstable/thread-subscriptions.controller.js';
import { SlidingSyncController } from './doors/v4/sliding-sync.controller.js';
import { EventsV1Controller } from './doors/v1/events-v1.controller.js';
import { EventPages } from './events/event-page.js';
import { RoomOverviews } from './events/room-overviews.js';
import { SyncFilters } from './filters/sync-filters.js';
import { ActiveUsers } from './notifier/active-users.js';
import { LongPolls } from './notifier/long-polls.js';
import { JoinedRooms } from './parts/joined-rooms.js';
import { LazyMembers } from './parts/lazy-members.js';
import { LeftRooms } from './parts/left-rooms.js';
import { SharedRows } from './parts/recent-rows.js';
import { StickyPart } from './parts/sticky-part.js';
import { SignedEvents } from './parts/signed-events.js';
import { PresenceChanges } from './presence/presence-changes.js';
import { PresenceNews } from './presence/presence-news.js';
import { EventsHandler } from './queries/events.js';
import { InitialSyncHandler } from './queries/initial-sync.js';
import { KeyChangesHandler } from './queries/key-changes.js';
import { ListNotificationsHandler } from './queries/list-notifications.js';
import { RoomInitialSyncHandler } from './queries/room-initial-sync.js';
import { SlidingSyncHandler } from './queries/sliding-sync.js';
import { SyncHandler } from './queries/sync.js';
import { SLIDING_EXTENSIONS } from './sliding/extensions/extension-context.js';
import { SlidingExtensions } from './sliding/extensions/sliding-extensions.js';
import { KnownRooms } from './sliding/known-rooms.js';
import { SeenRooms } from './sliding/seen-rooms.js';
import { LeftBehind } from './sliding/left-behind.js';
import { ListSubjects } from './sliding/list-subjects.js';
import { SlidingAnswers } from './sliding/sliding-answers.js';
import { SlidingConnections } from './sliding/sliding-connections.js';
import { SlidingRooms } from './sliding/sliding-room.js';
import { WantedStates } from './sliding/wanted-states.js';
import { ROOM_EPHEMERALS } from './ephemeral/room-ephemeral.js';
import { ALL_COVERED, ALL_EPHEMERALS, ALL_EXTENSIONS, ALL_STREAMS } from './streams/all-streams.js';
import { COVERED } from './streams/covered.js';
import { SYNC_STREAMS } from './streams/sync-context.js';
import { StreamMoments } from './streams/stream-moments.js';
import { SyncContexts } from './streams/sync-contexts.js';
import { SyncStreams } from './streams/sync-streams.js';
import { Badges } from './unread/badges.js';
import { SyncData } from './sync-data.js';
import { UnreadCounts } from './unread/unread-counts.js';

const listOf = (...all: readonly unknown[]): readonly unknown[] => all;

/** What is new, for clients that ask: /sync, and the event streams of 2015. */
@Module({
  imports: [CqrsModule, DevicesModule, EphemeralModule, PushModule],
  controllers: [
    EventsController,
    EventsV1Controller,
    KeyChangesController,
    NotificationsController,
    SlidingSyncController,
    SyncController,
    ThreadSubscriptionsController,
    UnstableSlidingSyncController,
  ],
  providers: [
    SyncData,
    ActiveUsers,
    DeviceListChanges,
    EventPages,
    EventsHandler,
    InitialSyncHandler,
    JoinedRooms,
    KeyChangesHandler,
    KnownRooms,
    LazyMembers,
    LeftBehind,
    LeftRooms,
    ListNotificationsHandler,
    ListSubjects,
    LongPolls,
    PresenceChanges,
    PresenceNews,
    RoomInitialSyncHandler,
    RoomOverviews,
    SeenRooms,
    SharedRows,
    SignedEvents,
    SlidingAnswers,
    SlidingConnections,
    SlidingExtensions,
    SlidingRooms,
    SlidingSyncHandler,
    StickyPart,
    StreamMoments,
    SyncContexts,
    SyncFilters,
    SyncHandler,
    SyncStreams,
    Badges,
    UnreadCounts,
    WantedStates,
    ...ALL_STREAMS,
    ...ALL_EPHEMERALS,
    ...ALL_EXTENSIONS,
    { provide: COVERED, useValue: ALL_COVERED },
    { provide: SYNC_STREAMS, inject: [...ALL_STREAMS], useFactory: listOf },
    { provide: SLIDING_EXTENSIONS, inject: [...ALL_EXTENSIONS], useFactory: listOf },
    { provide: ROOM_EPHEMERALS, inject: [...ALL_EPHEMERALS], useFactory: listOf },
  ],
  exports: [ActiveUsers, Badges, SlidingConnections, UnreadCounts],
})
export class SyncModule implements OnModuleInit {
  constructor(
    private readonly active: ActiveUsers,
    private readonly presence: Presence,
    @Inject(METRICS) private readonly metrics: Metrics,
  ) {}

  onModuleInit(): void {
    const { metrics, active, presence } = this;
    metrics.addGauge('annals_sync_users', 'Users who sync now or did lately', () => active.numbers.users);
    metrics.addGauge('annals_sync_waiting', 'Requests that wait for news', () => active.numbers.waiting);
    metrics.addGauge(
      'annals_sync_wake_ups',
      'How often users were woken since the start',
      () => active.numbers.wakeUps,
    );
    metrics.addGauge('annals_presence_users', 'Users of whose presence anything is in memory', () => presence.size);
    metrics.addGauge('annals_sync_rooms', 'Rooms with members who sync', () => active.numbers.rooms);
    metrics.addGauge(
      'annals_sync_touched_rooms',
      'Rooms whose last event is remembered',
      () => active.numbers.touchedRooms,
    );
  }
}
