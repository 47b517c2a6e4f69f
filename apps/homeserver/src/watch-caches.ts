import type { INestApplicationContext } from '@nestjs/common';
import { Accounts } from '#accounts/accounts';
import { AuthNotes } from '#accounts/interactive-auth/auth-notes';
import { ExternalIds } from '#accounts/external-ids';
import { AuthSessions } from '#accounts/interactive-auth/auth-sessions';
import { ServiceNotes } from '#appservices/sending/service-notes';
import { LookedAtUsers } from '#appservices/asking/looked-at-users';
import { AskNetworks } from '#appservices/networks/ask-networks';
import { ListInNetworkHandler } from '#directory/commands/list-in-network';
import { RegistrationTokens } from '#accounts/registration-tokens';
import { ActingServices } from '#accounts/sessions/acting-services';
import { KnownTokens } from '#accounts/sessions/known-tokens';
import { PhoneValidation } from '#accounts/threepids/phone-validation';
import { ThreepidClaims } from '#accounts/threepids/threepid-claims';
import { UserRedactions } from '#admin/redactions/user-redactions';
import { Erasures } from '#admin/erasures/erasures';
import { RoomPurges } from '#admin/purges/room-purges';
import { RegistrationNonces } from '#admin/shared-secret/registration-nonces';
import { AddressBooks } from '#contacts/address-books';
import { CrossSigning } from '#devices/cross-signing';
import { ReceiveMessages } from '#devices/commands/receive-messages';
import { SendToDeviceHandler } from '#devices/commands/send-to-device';
import { RemoteDeviceLists } from '#devices/remote-device-lists';
import { DeviceKeys } from '#devices/device-keys';
import { Inboxes } from '#devices/inboxes';
import { KeyBackups } from '#devices/key-backups';
import { ResyncRemoteDevices } from '#devices/resync-remote-devices';
import { OpenRendezvousSessions, RendezvousSessions } from '#devices/rendezvous/rendezvous-sessions';
import { Aliases } from '#directory/aliases';
import { KeptPresence } from '#ephemeral/presence/kept-presence';
import { PresenceLists } from '#ephemeral/lists/presence-lists';
import { Subscribers } from '#ephemeral/lists/subscribers';
import { Receipts } from '#ephemeral/commands/receipts';
import { Associations } from '#identity/associations/associations';
import { Bindings } from '#identity/client/bindings';
import { FollowPeers } from '#identity/replication/follow-peers';
import { IdentityAccounts } from '#identity/identity-accounts';
import { ShownToIdentityServers } from '#identity/client/shown-to-identity-servers';
import { StoredInvites } from '#identity/invitations/stored-invites';
import { Validations } from '#identity/validations';
import type { EventStore } from '#event-store/event-store';
import { ServerAcls } from '#rooms/queries/server-acls';
import { AnsweredTransactions } from '#federation/commands/answered-transactions';
import { Discovery } from '#federation/discovery/discovery';
import { AskServers } from '#federation/fetching/ask-servers';
import { Backfill } from '#federation/fetching/backfill';
import { TypingSender } from '#federation/ephemeral/typing-sender';
import { KeyRing } from '#federation/keys/key-ring';
import { ServerKeyLog } from '#federation/keys/server-key-log';
import { Peers } from '#federation/peers/peers';
import { PeersProfiles } from '#federation/asking/peers-profiles';
import { PeersSpaces } from '#federation/asking/peers-spaces';
import { DestinationNotes } from '#federation/sending/destination-notes';
import { Destinations } from '#federation/sending/destinations';
import { ServersInRooms } from '#federation/sending/servers-in-rooms';
import { RateLimits } from '#http/rate-limits';
import { ContentLog } from '#media/commands/quarantine-content';
import { MediaLog } from '#media/media-log';
import { Previews } from '#media/previews/previews';
import { RemoteCache } from '#media/remote/remote-cache';
import { Thumbnails } from '#media/thumbnails/thumbnails';
import type { CacheNumbers } from '#kernel/lru-cache';
import type { LabelledNumber, Metrics } from '#observability/metrics';
import { MasTokens } from '#oauth/mas/mas-tokens';
import { Returns } from '#oauth/browser/returns';
import { DeviceRequests } from '#oauth/device-requests';
import { KeptSignIns } from '#oauth/sign-ins';
import { DigestNotes } from '#processes/digests/digest-notes';
import { FindPushes } from '#processes/push/find-pushes';
import { PushedUsers } from '#processes/push/pushed-users';
import { PushLanes } from '#processes/push/push-lanes';
import { ExpiredEvents } from '#processes/retention/expired-events';
import { CompiledRules } from '#push/compiled-rules';
import { PushRules } from '#push/push-rules';
import { DelayedEvents } from '#calls/delayed-events';
import { Pushers } from '#push/pushers';
import { HeldInvitations } from '#rooms/commands/held-invitations';
import { ForgetRoomHandler } from '#rooms/commands/forget-room';
import { MembershipsElsewhere } from '#rooms/commands/memberships-elsewhere';
import { ExtremityMerging } from '#rooms/commands/merge-extremities';
import { Receiving } from '#rooms/commands/receiving';
import { ThreadSubscriptions } from '#rooms/commands/thread-subscriptions';
import { TransactionAnswers } from '#http/transaction-answers';
import { RoomWorkers } from '#rooms/worker/room-workers';
import { SyncFilters } from '#sync/filters/sync-filters';
import { ActiveUsers } from '#sync/notifier/active-users';
import { LazyMembers } from '#sync/parts/lazy-members';
import { SharedRows } from '#sync/parts/recent-rows';
import { PresenceNews } from '#sync/presence/presence-news';
import { KnownRooms } from '#sync/sliding/known-rooms';
import { ListSubjects } from '#sync/sliding/list-subjects';
import { SeenRooms } from '#sync/sliding/seen-rooms';
import { SlidingConnections } from '#sync/sliding/sliding-connections';
import { WantedStates } from '#sync/sliding/wanted-states';
import { UnreadCounts } from '#sync/unread/unread-counts';

/**
 * Adds what the caches of this process do to the metrics, by their name: all but those that are part of something else and go with it,
 * as the events of a room in memory with the room (an entry of `rooms`), and those of a room that is being joined with the join.
 */
export function watchCaches(
  metrics: Metrics,
  app: Pick<INestApplicationContext, 'get'>,
  store: Pick<EventStore, 'caches'>,
): void {
  const of = <T>(owner: abstract new (...parameters: never[]) => T): T => app.get<T>(owner, { strict: false });
  const [active, limits] = [of(ActiveUsers), of(RateLimits)];
  const owners: Readonly<Record<string, { readonly numbers: CacheNumbers }>> = {
    ...federationCaches(of),
    ...roomCaches(of),
    ...pushCaches(of),
    ...serviceCaches(of),
    ...mediaCaches(of),
    ...accountCaches(of),
    ...presenceCaches(of),
    ...identityCaches(of),
    aliases: of(Aliases),
    'cross-signing': of(CrossSigning),
    'delayed-events': of(DelayedEvents),
    'device-keys': of(DeviceKeys),
    'devices-asked-in-vain': of(ResyncRemoteDevices),
    'lazy-members': of(LazyMembers),
    'open-rendezvous-sessions': of(OpenRendezvousSessions),
    'received-messages': of(ReceiveMessages),
    'registration-nonces': of(RegistrationNonces),
    'room-purges': of(RoomPurges),
    erasures: of(Erasures),
    'remote-devices': of(RemoteDeviceLists),
    redactions: of(UserRedactions),
    'rendezvous-sessions': of(RendezvousSessions),
    'sent-messages': of(SendToDeviceHandler),
    'sliding-connections': of(SlidingConnections),
    'sliding-rooms': of(KnownRooms),
    'stays-before-invitations': of(SeenRooms),
    'sync-filters': of(SyncFilters),
    'timeline-ends': of(SharedRows),
    'wanted-states': of(WantedStates),
  };
  const list = (): [string, CacheNumbers][] => [
    ...Object.entries(owners).map(([name, { numbers }]): [string, CacheNumbers] => [name, numbers]),
    ['recent-redactions', active.recent.redactions.numbers],
    ...Object.entries({
      ...of(Discovery).caches,
      ...of(KeyRing).caches,
      ...of(Destinations).caches,
      ...of(Inboxes).caches,
      ...of(KeyBackups).caches,
      ...of(ListSubjects).caches,
      ...of(UnreadCounts).caches,
      ...of(CompiledRules).caches,
      ...of(Thumbnails).caches,
      ...limits.caches,
      ...store.caches,
    }),
  ];
  addNumbers(metrics, list);
}

function addNumbers(metrics: Metrics, list: () => [string, CacheNumbers][]): void {
  const read = (numberOf: (cache: CacheNumbers) => number) => async (): Promise<LabelledNumber[]> =>
    list().map(([cache, numbers]): LabelledNumber => [{ cache }, numberOf(numbers)]);
  for (const [name, says, numberOf] of GAUGES) metrics.addGauges(name, says, ['cache'], read(numberOf));
  for (const [name, says, numberOf] of COUNTERS) metrics.addCounters(name, says, ['cache'], read(numberOf));
}

type Told = readonly [name: string, says: string, numberOf: (cache: CacheNumbers) => number];

const GAUGES: readonly Told[] = [
  ['annals_cache_entries', 'Entries of a cache', ({ size }) => size],
  ['annals_cache_capacity', 'The most entries of a cache', ({ capacity }) => capacity],
];
const COUNTERS: readonly Told[] = [
  ['annals_cache_hits_total', 'What a cache was asked for and had', ({ hits }) => hits],
  ['annals_cache_misses_total', 'What a cache was asked for and did not have', ({ misses }) => misses],
  ['annals_cache_evictions_total', 'Entries of a cache that gave way to newer ones', ({ evictions }) => evictions],
];

/** Those of accounts and how they are logged into. */
function accountCaches(
  of: <T>(owner: abstract new (...parameters: never[]) => T) => T,
): Readonly<Record<string, { readonly numbers: CacheNumbers }>> {
  return {
    accounts: of(Accounts),
    'auth-notes': of(AuthNotes),
    'phone-validations': of(PhoneValidation),
    'auth-sessions': of(AuthSessions),
    'device-requests': of(DeviceRequests),
    'external-ids': of(ExternalIds),
    'known-tokens': of(KnownTokens),
    'mas-tokens': of(MasTokens),
    'registration-tokens': of(RegistrationTokens),
    'sign-ins': of(KeptSignIns),
    'sign-in-returns': of(Returns),
    'threepid-claims': of(ThreepidClaims),
  };
}

/** Those of application services. */
function serviceCaches(
  of: <T>(owner: abstract new (...parameters: never[]) => T) => T,
): Readonly<Record<string, { readonly numbers: CacheNumbers }>> {
  return {
    'acting-services': of(ActingServices),
    'application-services': of(ServiceNotes),
    'network-directories': of(ListInNetworkHandler),
    'looked-at-users': of(LookedAtUsers),
    networks: of(AskNetworks),
  };
}

/** Those of rooms shared with other servers. */
function federationCaches(
  of: <T>(owner: abstract new (...parameters: never[]) => T) => T,
): Readonly<Record<string, { readonly numbers: CacheNumbers }>> {
  return {
    'answered-transactions': of(AnsweredTransactions),
    'destination-notes': of(DestinationNotes),
    'depths-elsewhere': of(Backfill),
    'failed-asks': of(AskServers),
    'left-alone-servers': of(Peers),
    'remote-profiles': of(PeersProfiles),
    'remote-spaces': of(PeersSpaces),
    'server-acls': of(ServerAcls),
    'server-key-log': of(ServerKeyLog),
    'servers-in-rooms': of(ServersInRooms),
  };
}

function mediaCaches(
  of: <T>(owner: abstract new (...parameters: never[]) => T) => T,
): Readonly<Record<string, { readonly numbers: CacheNumbers }>> {
  return {
    'media-content': of(ContentLog),
    'media-refused': of(RemoteCache),
    'media-streams': of(MediaLog),
    previews: of(Previews),
  };
}

function identityCaches(
  of: <T>(owner: abstract new (...parameters: never[]) => T) => T,
): Readonly<Record<string, { readonly numbers: CacheNumbers }>> {
  return {
    associations: of(Associations),
    'ended-associations': of(Associations).ends,
    'identity-accounts': of(IdentityAccounts),
    'identity-bindings': of(Bindings),
    'identity-validations': of(Validations),
    'shown-elsewhere': of(ShownToIdentityServers),
    'identity-peers': of(FollowPeers),
    'stored-invites': of(StoredInvites),
  };
}

function presenceCaches(
  of: <T>(owner: abstract new (...parameters: never[]) => T) => T,
): Readonly<Record<string, { readonly numbers: CacheNumbers }>> {
  return {
    'kept-presence': of(KeptPresence),
    'presence-lists': of(PresenceLists),
    'presence-subscribers': of(Subscribers),
    'presence-texts': of(PresenceNews),
    'typists-told': of(TypingSender),
  };
}

function pushCaches(
  of: <T>(owner: abstract new (...parameters: never[]) => T) => T,
): Readonly<Record<string, { readonly numbers: CacheNumbers }>> {
  return {
    'noted-digests': of(DigestNotes),
    'push-rules': of(PushRules),
    'pushed-events': of(FindPushes),
    'pushed-numbers': of(PushLanes),
    'pushed-rooms': of(PushedUsers),
    pushers: of(Pushers),
    'address-books': of(AddressBooks),
  };
}

function roomCaches(
  of: <T>(owner: abstract new (...parameters: never[]) => T) => T,
): Readonly<Record<string, { readonly numbers: CacheNumbers }>> {
  return {
    'expired-events': of(ExpiredEvents),
    'forgotten-rooms': of(ForgetRoomHandler),
    'held-invitations': of(HeldInvitations),
    'memberships-elsewhere': of(MembershipsElsewhere),
    'merges-in-vain': of(ExtremityMerging),
    receipts: of(Receipts),
    rooms: of(RoomWorkers),
    'staged-events': of(Receiving),
    'thread-subscriptions': of(ThreadSubscriptions),
    'transaction-answers': of(TransactionAnswers),
  };
}
