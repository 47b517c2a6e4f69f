import { Module, type Type } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { AdminModule } from '#admin/admin.module';
import { CallsModule } from '#calls/calls.module';
import { ContactsModule } from '#contacts/contacts.module';
import { DevicesModule } from '#devices/devices.module';
import type { Effect } from '#projections/effects/effect';
import { SyncModule } from '#sync/sync.module';
import { CanonicalAlias } from './canonical-alias/canonical-alias.effect.js';
import { EndedContacts } from './contacts/ended-contacts.effect.js';
import { OvertakenContacts } from './contacts/overtaken-contacts.effect.js';
import { MissedDevices } from './device-lists/missed-devices.effect.js';
import { RestoredLists } from './device-lists/restored-lists.effect.js';
import { DelayedContents } from './delayed-events/delayed-contents.effect.js';
import { LookAfterLeaves } from './delayed-events/delegated-leaves.effect.js';
import { EndedDelayedEvents } from './delayed-events/ended-delayed-events.effect.js';
import { SendDelayedEvents } from './delayed-events/send-delayed-events.effect.js';
import { Departure } from './departure/departure.effect.js';
import { AccountErasure } from './erasure/account-erasure.effect.js';
import { DehydratedDeviceErasure } from './erasure/dehydrated-device-erasure.effect.js';
import { EndedAssociations } from './erasure/ended-associations.effect.js';
import { EndedBindings } from './erasure/ended-bindings.effect.js';
import { EndedIdentityAccounts } from './erasure/ended-identity-accounts.effect.js';
import { EndedSignIns } from './erasure/ended-sign-ins.effect.js';
import { ErasedMedia } from './erasure/erased-media.effect.js';
import { RemovedThreepids } from './erasure/removed-threepids.effect.js';
import { ErasableAccounts } from './erasure/erasable-accounts.js';
import { ErasedContent } from './erasure/erased-content.js';
import { KeptOfUser } from './erasure/kept-of-user.js';
import { LateContent } from './erasure/late-content.effect.js';
import { OrderedErasures } from './erasure/ordered-erasures.effect.js';
import { UnlinkedIds } from './erasure/unlinked-ids.effect.js';
import { RedactionErasure } from './erasure/redaction-erasure.effect.js';
import { InvitationMessagesSent } from './invites/invitation-messages.effect.js';
import { OverInvitations } from './invites/over-invitations.effect.js';
import { TellStoredInvites } from './invites/stored-invites.effect.js';
import { UnfinishedHandshake } from './joins/unfinished-handshake.effect.js';
import { UnfinishedJoin } from './joins/unfinished-join.effect.js';
import { GuestEviction } from './guest-eviction/guest-eviction.effect.js';
import { ProfileAnnouncement } from './profile-announcement/profile-announcement.effect.js';
import { LeftCalls } from './left-calls/left-calls.effect.js';
import { LeftRooms } from './left-rooms/left-rooms.effect.js';
import { DeletedBackups } from './key-backup/deleted-backups.effect.js';
import { RefusedStickyEvents } from './sticky-events/refused-sticky-events.effect.js';
import { EndedStays } from './stays/ended-stays.effect.js';
import { EndedThreads } from './threads/ended-threads.effect.js';
import { ThreadRules } from './threads/thread-rules.effect.js';
import { EndedPresence } from './ended-presence/ended-presence.effect.js';
import { EphemeralModule } from '#ephemeral/ephemeral.module';
import { PushModule } from '#push/push.module';
import { EndedPushers } from './push/ended-pushers.effect.js';
import { EvaluateEvent } from './push/evaluate-event.js';
import { FindPushes } from './push/find-pushes.js';
import { DescribeDigest } from './digests/describe-digest.js';
import { DigestNotes } from './digests/digest-notes.js';
import { Digests } from './digests/digests.js';
import { GatherDigest } from './digests/gather-digest.js';
import { NewUsersMails } from './digests/new-users-mails.effect.js';
import { SendDigest } from './digests/send-digest.js';
import { UnsubscribeController } from './digests/unsubscribe.controller.js';
import { UnsubscribeLinks } from './digests/unsubscribe-links.js';
import { HoldBack } from './push/hold-back.js';
import { PushLanes } from './push/push-lanes.js';
import { PushedUsers } from './push/pushed-users.js';
import { SendPushes } from './push/send-pushes.effect.js';
import { TakenOverPushers } from './push/taken-over-pushers.effect.js';
import { ReleaseInvitations } from './held-invitations/held-invitations.effect.js';
import { TellLists } from './presence-lists/tell-lists.effect.js';
import { RemovedDevices } from './removed-devices/removed-devices.effect.js';
import { RoomSuccession } from './succession/room-succession.effect.js';
import { CollectedMessages } from './to-device/collected-messages.effect.js';
import { DesertedRooms } from './purge/deserted-rooms.js';
import { OrderedPurges } from './purge/ordered-purges.effect.js';
import { PurgedRooms } from './purge/purged-rooms.effect.js';
import { RenewedViews } from './renewal/renewed-views.js';
import { ExpiredEvents } from './retention/expired-events.js';
import { RuleRetention } from './retention/rule-retention.js';
import { RoomUpgrade } from './upgrade/room-upgrade.effect.js';

/** Every effect of the server, to be run by its projections. */
export const EFFECTS: readonly Type<Effect>[] = [
  RoomUpgrade,
  RoomSuccession,
  CanonicalAlias,
  ProfileAnnouncement,
  Departure,
  GuestEviction,
  RedactionErasure,
  AccountErasure,
  UnfinishedJoin,
  UnfinishedHandshake,
  RemovedDevices,
  CollectedMessages,
  DeletedBackups,
  DehydratedDeviceErasure,
  RemovedThreepids,
  UnlinkedIds,
  OrderedErasures,
  LateContent,
  EndedAssociations,
  EndedBindings,
  EndedIdentityAccounts,
  EndedSignIns,
  ErasedMedia,
  TellStoredInvites,
  InvitationMessagesSent,
  OverInvitations,
  MissedDevices,
  RestoredLists,
  EndedPresence,
  TellLists,
  ReleaseInvitations,
  EndedThreads,
  EndedStays,
  RefusedStickyEvents,
  ThreadRules,
  EndedContacts,
  OvertakenContacts,
  EndedPushers,
  TakenOverPushers,
  NewUsersMails,
  SendPushes,
  SendDelayedEvents,
  LookAfterLeaves,
  LeftCalls,
  LeftRooms,
  DelayedContents,
  EndedDelayedEvents,
  OrderedPurges,
  PurgedRooms,
];

/** What follows from the facts of one domain in another. Needs VIEWS, CONFIG, CLOCK, ALIAS_BOOK, SIGNING_KEY, Mailer and Accounts from global modules. */
@Module({
  imports: [
    AdminModule,
    CqrsModule,
    CallsModule,
    ContactsModule,
    DevicesModule,
    EphemeralModule,
    PushModule,
    SyncModule,
  ],
  controllers: [UnsubscribeController],
  providers: [
    ...EFFECTS,
    DescribeDigest,
    DesertedRooms,
    DigestNotes,
    Digests,
    ErasableAccounts,
    ErasedContent,
    EvaluateEvent,
    ExpiredEvents,
    FindPushes,
    GatherDigest,
    HoldBack,
    KeptOfUser,
    PushLanes,
    PushedUsers,
    RenewedViews,
    RuleRetention,
    SendDigest,
    UnsubscribeLinks,
  ],
  exports: [...EFFECTS, ErasedContent, KeptOfUser, RenewedViews],
})
export class ProcessesModule {}
