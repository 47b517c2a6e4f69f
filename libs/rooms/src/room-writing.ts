import type { FactoryProvider, Provider } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import { CLOCK, type Clock } from '#kernel/clock';
import { ViewsUnavailable } from '#read-models/read-model-errors';
import { READ_MODEL_STORE, type ReadModelStore } from '#read-models/read-model-store';
import { LOGGER, type Logger } from '#observability/logger';
import { VIEWS, type Views } from '#projections/views';
import { SIGNING_KEY, type SigningKey } from '#protocol/signing/signing-key';
import { AnnounceProfileHandler } from './commands/announce-profile.js';
import { BanUserHandler } from './commands/ban-user.js';
import { BeginRoomHandler } from './commands/begin-room.js';
import { MembershipChanges } from './commands/change-membership.js';
import { CompleteUpgradeHandler } from './commands/complete-upgrade.js';
import { ContinuePurgeHandler } from './commands/continue-purge.js';
import { CreateRoomHandler } from './commands/create-room.js';
import { DeleteStateHandler } from './commands/delete-state.js';
import { DropCanonicalAliasHandler } from './commands/drop-canonical-alias.js';
import { EndElsewhereHandler } from './commands/end-elsewhere.js';
import { EndStayHandler } from './commands/end-stay.js';
import { EraseEventsHandler } from './commands/erase-events.js';
import { ExpireEventsHandler } from './commands/expire-events.js';
import { ExchangeInviteHandler } from './commands/exchange-invite.js';
import { FillRoomHandler } from './commands/fill-room.js';
import { ForgetRoomHandler } from './commands/forget-room.js';
import { HeldInvitations } from './commands/held-invitations.js';
import { InvitePermissions } from './commands/invite-permissions.js';
import { InvitationsElsewhere } from './commands/invite-elsewhere.js';
import { InviteAddressHandler } from './commands/invite-address.js';
import { InviteUserHandler } from './commands/invite-user.js';
import { JoinElsewhere } from './commands/join-elsewhere.js';
import { JoinRoomHandler } from './commands/join-room.js';
import { KickUserHandler } from './commands/kick-user.js';
import { KnockRoomHandler } from './commands/knock-room.js';
import { LeaveRoomHandler } from './commands/leave-room.js';
import { MakeMembershipHandler } from './commands/make-membership.js';
import { MembershipsElsewhere } from './commands/memberships-elsewhere.js';
import { PurgeRoomHandler } from './commands/purge-room.js';
import { ReceiveOutliersHandler } from './commands/receive-outliers.js';
import { ReceivePdusHandler } from './commands/receive-pdus.js';
import { ReceiveStateHandler } from './commands/receive-state.js';
import { Receiving } from './commands/receiving.js';
import { Joining } from './joining/joining.js';
import { ReceiveRoomHandler } from './commands/receive-room.js';
import { SettleHandshakeHandler } from './commands/settle-handshake.js';
import { SettleJoinHandler } from './commands/settle-join.js';
import { ExtremityMerging } from './commands/merge-extremities.js';
import { RedactAsServerHandler } from './commands/redact-as-server.js';
import { RedactEventHandler } from './commands/redact-event.js';
import { SendEventHandler } from './commands/send-event.js';
import { ReconsiderStickyEventsHandler } from './commands/reconsider-sticky-events.js';
import { SetRoomListedHandler } from './commands/set-room-listed.js';
import { SetStateHandler } from './commands/set-state.js';
import { StaysElsewhere } from './commands/stays-elsewhere.js';
import { SubscribeToThreadHandler } from './commands/subscribe-to-thread.js';
import { ThreadSubscriptions } from './commands/thread-subscriptions.js';
import { TakeInviteHandler } from './commands/take-invite.js';
import { TakeMembershipHandler } from './commands/take-membership.js';
import { TellPurgedHandler } from './commands/tell-purged.js';
import { UnbanUserHandler } from './commands/unban-user.js';
import { UnsubscribeFromThreadHandler } from './commands/unsubscribe-from-thread.js';
import { UpgradeRoomHandler } from './commands/upgrade-room.js';
import { EVENT_AUTHOR, type EventAuthor } from './decide/decide-event.js';
import { type Policy, ROOM_POLICY } from './room-policy.js';
import { ServerAcls } from './queries/server-acls.js';
import { ServingSources } from './queries/serving-sources.js';
import { ReceivedEvents } from './queries/received-events.js';
import { OtherProcesses } from './worker/other-processes.js';
import { RoomSnapshots } from './worker/room-snapshots.js';
import { RoomWorkers } from './worker/room-workers.js';

const eventAuthor: FactoryProvider<EventAuthor> = {
  provide: EVENT_AUTHOR,
  inject: [CONFIG, SIGNING_KEY],
  useFactory: ({ serverName }: Config, signingKey: SigningKey) => ({ serverName, signingKey }),
};

const roomSnapshots: FactoryProvider<RoomSnapshots> = {
  provide: RoomSnapshots,
  inject: [EVENT_STORE, READ_MODEL_STORE, LOGGER],
  useFactory: (store: EventStore, readModels: ReadModelStore, logger: Logger) =>
    // A snapshot only saves time: one that cannot be written must not stop a room.
    new RoomSnapshots(store, readModels, (roomId, err) => {
      // That views are lost is told once, by who watches them.
      if (err instanceof ViewsUnavailable) return;
      logger.warn({ err, roomId }, 'the snapshot of a room could not be written');
    }),
};

const roomWorkers: FactoryProvider<RoomWorkers> = {
  provide: RoomWorkers,
  inject: [EVENT_STORE, RoomSnapshots, VIEWS, EVENT_AUTHOR, CLOCK, { token: ROOM_POLICY, optional: true }],
  useFactory: (
    store: EventStore,
    snapshots: RoomSnapshots,
    views: Views,
    author: EventAuthor,
    clock: Clock,
    policy: Policy | undefined,
  ) => new RoomWorkers({ store, snapshots, views, author, clock, policy }),
};

/** The write side of rooms: the workers and every command's handler. */
export const ROOM_WRITING: readonly Provider[] = [
  eventAuthor,
  roomSnapshots,
  roomWorkers,
  ExtremityMerging,
  InvitationsElsewhere,
  HeldInvitations,
  InvitePermissions,
  JoinElsewhere,
  Joining,
  MembershipChanges,
  MembershipsElsewhere,
  OtherProcesses,
  ReceivedEvents,
  ServerAcls,
  ServingSources,
  Receiving,
  StaysElsewhere,
  ThreadSubscriptions,
  AnnounceProfileHandler,
  BanUserHandler,
  CompleteUpgradeHandler,
  ContinuePurgeHandler,
  CreateRoomHandler,
  DeleteStateHandler,
  DropCanonicalAliasHandler,
  EndElsewhereHandler,
  EndStayHandler,
  EraseEventsHandler,
  ExchangeInviteHandler,
  ExpireEventsHandler,
  FillRoomHandler,
  ForgetRoomHandler,
  InviteUserHandler,
  InviteAddressHandler,
  BeginRoomHandler,
  JoinRoomHandler,
  KickUserHandler,
  KnockRoomHandler,
  LeaveRoomHandler,
  MakeMembershipHandler,
  PurgeRoomHandler,
  ReceiveOutliersHandler,
  ReceivePdusHandler,
  ReceiveRoomHandler,
  ReceiveStateHandler,
  RedactAsServerHandler,
  RedactEventHandler,
  SendEventHandler,
  ReconsiderStickyEventsHandler,
  SetRoomListedHandler,
  SetStateHandler,
  SettleHandshakeHandler,
  SettleJoinHandler,
  SubscribeToThreadHandler,
  TakeInviteHandler,
  TakeMembershipHandler,
  TellPurgedHandler,
  UnbanUserHandler,
  UnsubscribeFromThreadHandler,
  UpgradeRoomHandler,
];
