import { Inject, Module, type OnModuleInit } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { EphemeralModule } from '#ephemeral/ephemeral.module';
import { METRICS, type Metrics } from '#observability/metrics';
import { EventsController } from './doors/today/events.controller.js';
import { SyncController } from './doors/today/sync.controller.js';
import { EventsV1Controller } from './doors/v1/events-v1.controller.js';
import { EventPages } from './events/event-page.js';
import { RoomOverviews } from './events/room-overviews.js';
import { SyncFilters } from './filters/sync-filters.js';
import { ActiveUsers } from './notifier/active-users.js';
import { JoinedRooms } from './parts/joined-rooms.js';
import { LazyMembers } from './parts/lazy-members.js';
import { LeftRooms } from './parts/left-rooms.js';
import { SharedRows } from './parts/recent-rows.js';
import { SignedEvents } from './parts/signed-events.js';
import { EventsHandler } from './queries/events.js';
import { InitialSyncHandler } from './queries/initial-sync.js';
import { RoomInitialSyncHandler } from './queries/room-initial-sync.js';
import { SyncHandler } from './queries/sync.js';
import { accountDataStream } from './streams/account-data-stream.js';
import { RoomsStream } from './streams/rooms-stream.js';
import { SyncContexts } from './streams/sync-contexts.js';
import { SyncStreams } from './streams/sync-streams.js';
import { UnreadCounts } from './unread/unread-counts.js';

/** What is new, for clients that ask: /sync, and the event streams of 2015. */
@Module({
  imports: [CqrsModule, EphemeralModule],
  controllers: [EventsController, EventsV1Controller, SyncController],
  providers: [
    ActiveUsers,
    EventPages,
    EventsHandler,
    InitialSyncHandler,
    JoinedRooms,
    LazyMembers,
    LeftRooms,
    RoomInitialSyncHandler,
    RoomOverviews,
    RoomsStream,
    SharedRows,
    SignedEvents,
    SyncContexts,
    SyncFilters,
    SyncHandler,
    SyncStreams,
    UnreadCounts,
  ],
  exports: [ActiveUsers, SyncStreams],
})
export class SyncModule implements OnModuleInit {
  constructor(
    private readonly streams: SyncStreams,
    private readonly rooms: RoomsStream,
    private readonly active: ActiveUsers,
    @Inject(METRICS) private readonly metrics: Metrics,
  ) {}

  onModuleInit(): void {
    this.streams.add(accountDataStream);
    this.streams.add(this.rooms);
    const { metrics, active } = this;
    metrics.addGauge('annals_sync_users', 'Users who sync now or did lately', () => active.numbers.users);
    metrics.addGauge('annals_sync_waiting', 'Requests that wait for news', () => active.numbers.waiting);
    metrics.addGauge(
      'annals_sync_wake_ups',
      'How often users were woken since the start',
      () => active.numbers.wakeUps,
    );
    metrics.addGauge('annals_sync_rooms', 'Rooms with members who sync', () => active.numbers.rooms);
    metrics.addGauge(
      'annals_sync_touched_rooms',
      'Rooms whose last event is remembered',
      () => active.numbers.touchedRooms,
    );
  }
}
