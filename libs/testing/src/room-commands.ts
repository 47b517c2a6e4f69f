import { AppServices } from '#config/appservices/app-services';
import type { CommandBus, ICommandHandler } from '@nestjs/cqrs';
import type { Config } from '#config/config';
import { Aliases } from '#directory/aliases';
import { CreateAlias, CreateAliasHandler } from '#directory/commands/create-alias';
import { DeleteAlias, DeleteAliasHandler } from '#directory/commands/delete-alias';
import type { RecordedFact } from '#event-store/event-store';
import { systemClock } from '#kernel/clock';
import type { DeviceId, EventId, RoomId, ServerName, UserId } from '#kernel/ids';
import { contentOfRow } from '#rooms/projections/timeline-row';
import type { JsonObject } from '#kernel/json';
import type { Requester } from '#kernel/requester';
import { AnnounceProfile, AnnounceProfileHandler } from '#rooms/commands/announce-profile';
import { BanUser, BanUserHandler } from '#rooms/commands/ban-user';
import { MembershipChanges } from '#rooms/commands/change-membership';
import { CompleteUpgrade, CompleteUpgradeHandler } from '#rooms/commands/complete-upgrade';
import { CreateRoom, CreateRoomHandler } from '#rooms/commands/create-room';
import { DeleteState, DeleteStateHandler } from '#rooms/commands/delete-state';
import { DropCanonicalAlias, DropCanonicalAliasHandler } from '#rooms/commands/drop-canonical-alias';
import { EndStay, EndStayHandler } from '#rooms/commands/end-stay';
import { EraseEvents, EraseEventsHandler } from '#rooms/commands/erase-events';
import { ExchangeInvite, ExchangeInviteHandler } from '#rooms/commands/exchange-invite';
import { FillRoom, FillRoomHandler } from '#rooms/commands/fill-room';
import { ForgetRoom, ForgetRoomHandler } from '#rooms/commands/forget-room';
import { InvitePermissions } from '#rooms/commands/invite-permissions';
import { InvitationsElsewhere } from '#rooms/commands/invite-elsewhere';
import { InviteUser, InviteUserHandler } from '#rooms/commands/invite-user';
import { JoinElsewhere } from '#rooms/commands/join-elsewhere';
import { JoinRoom, JoinRoomHandler } from '#rooms/commands/join-room';
import { KickUser, KickUserHandler } from '#rooms/commands/kick-user';
import { KnockRoom, KnockRoomHandler } from '#rooms/commands/knock-room';
import { LeaveRoom, LeaveRoomHandler } from '#rooms/commands/leave-room';
import { MembershipsElsewhere } from '#rooms/commands/memberships-elsewhere';
import { ExtremityMerging } from '#rooms/commands/merge-extremities';
import { ownKey } from '#rooms/commands/own-key';
import { RoomVerifier } from '#rooms/audit/verify-room';
import type { ServerKeys } from '#rooms/server-keys';
import { ReceiveOutliers, ReceiveOutliersHandler } from '#rooms/commands/receive-outliers';
import { ReceivePdus, ReceivePdusHandler } from '#rooms/commands/receive-pdus';
import { Joining } from '#rooms/joining/joining';
import { ReceiveRoom, ReceiveRoomHandler } from '#rooms/commands/receive-room';
import { SettleJoin, SettleJoinHandler } from '#rooms/commands/settle-join';
import { ReceiveState, ReceiveStateHandler } from '#rooms/commands/receive-state';
import { Receiving } from '#rooms/commands/receiving';
import { ReconsiderStickyEvents, ReconsiderStickyEventsHandler } from '#rooms/commands/reconsider-sticky-events';
import { RedactEvent, RedactEventHandler } from '#rooms/commands/redact-event';
import { SendEvent, SendEventHandler } from '#rooms/commands/send-event';
import { SetRoomListed, SetRoomListedHandler } from '#rooms/commands/set-room-listed';
import { SetState, SetStateHandler } from '#rooms/commands/set-state';
import { StaysElsewhere } from '#rooms/commands/stays-elsewhere';
import { SubscribeToThread, SubscribeToThreadHandler } from '#rooms/commands/subscribe-to-thread';
import { ThreadSubscriptions } from '#rooms/commands/thread-subscriptions';
import type { EventSent } from '#rooms/commands/transaction';
import { UnbanUser, UnbanUserHandler } from '#rooms/commands/unban-user';
import { UnsubscribeFromThread, UnsubscribeFromThreadHandler } from '#rooms/commands/unsubscribe-from-thread';
import { UpgradeRoom, UpgradeRoomHandler } from '#rooms/commands/upgrade-room';
import type { CreateRoomOptions } from '#rooms/decide/new-room-events';
import { allowAll, type Policy } from '#rooms/room-policy';
import { type PduAccepted, type PduRedacted, roomStream } from '#rooms/facts/room-facts';
import { listStateRows } from '#rooms/queries/state-rows';
import { OtherProcesses } from '#rooms/worker/other-processes';
import { RoomSnapshots } from '#rooms/worker/room-snapshots';
import { RoomWorkers } from '#rooms/worker/room-workers';
import { ALICE, TEST_AUTHOR } from './local-room.js';
import { MemoryEventStore } from './memory-event-store.js';
import { RoomViews } from './room-views.js';
import { TakeInRoom, TakeInRoomHandler } from './receiving/take-in-room.js';

const ON_OTHERS = { ban: BanUser, invite: InviteUser, kick: KickUser, unban: UnbanUser } as const;

/** A user as a command's requester. */
export function requesterOf(userId: UserId, device = 'PHONE', isAdmin = false): Requester {
  return { userId, deviceId: device as DeviceId, isAdmin, requestId: 'test' };
}

/**
 * Every command of rooms and aliases with the handlers of the server, over a log and views in memory. A second one over the
 * same views is the server after a restart.
 */
export class RoomCommands {
  readonly log: MemoryEventStore;
  readonly workers: RoomWorkers;
  readonly #handlers: ReadonlyMap<unknown, ICommandHandler>;
  /** Milliseconds since the epoch; the same until a test moves it. */
  now = 1_700_000_000_000;

  constructor(
    readonly views = new RoomViews(new MemoryEventStore()),
    readonly author = TEST_AUTHOR,
    private readonly keys: ServerKeys = ownKey(author),
    policy: Policy = allowAll,
    /** Where others write to the log too. */
    eventStoreUrl?: string,
  ) {
    this.log = views.log;
    const store = views.today;
    const clock = { now: () => this.now, elapsed: () => systemClock.elapsed() };
    const config = { serverName: author.serverName, eventStoreUrl } as Config; // all that these handlers read of it
    const snapshots = new RoomSnapshots(store, views.store, (_, error) => {
      throw error;
    });
    const workers = (this.workers = new RoomWorkers({ store, snapshots, views, author: author, clock, policy }));
    const others = new OtherProcesses(config, clock);
    const joining = new Joining(workers, store, others);
    const merging = new ExtremityMerging(workers, views, author, clock);
    const elsewhere = new MembershipsElsewhere(store, clock, views);
    const permissions = new InvitePermissions(views, { serverName: author.serverName });
    const receiving = new Receiving(workers, keys, permissions, policy);
    const invitations = new InvitationsElsewhere(workers, elsewhere, views, author, permissions);
    const members = new MembershipChanges(workers, views, invitations);
    const aliases = new Aliases(store, clock, views, config, new AppServices());
    const threads = new ThreadSubscriptions(store, clock, views);
    const stays = new StaysElsewhere(elsewhere, clock);
    const bus = { execute: (command: object) => this.execute(command) } as CommandBus; // its other methods are Nest's
    this.#handlers = new Map<unknown, ICommandHandler>([
      [AnnounceProfile, new AnnounceProfileHandler(members, views)],
      [BanUser, new BanUserHandler(members)],
      [CompleteUpgrade, new CompleteUpgradeHandler(workers, views, aliases, author)],
      [CreateAlias, new CreateAliasHandler(aliases, views)],
      [CreateRoom, new CreateRoomHandler(workers, members, views, aliases, author, clock)],
      [DeleteAlias, new DeleteAliasHandler(aliases, views)],
      [DeleteState, new DeleteStateHandler(workers, views)],
      [DropCanonicalAlias, new DropCanonicalAliasHandler(workers, views)],
      [EndStay, new EndStayHandler(workers, receiving, bus, author)],
      [EraseEvents, new EraseEventsHandler(workers, views)],
      [ExchangeInvite, new ExchangeInviteHandler(workers, members, views, author)],
      [FillRoom, new FillRoomHandler(workers, receiving, joining, author)],
      [ForgetRoom, new ForgetRoomHandler(store, clock, views)],
      [InviteUser, new InviteUserHandler(members)],
      [
        JoinRoom,
        new JoinRoomHandler(workers, members, new JoinElsewhere(workers, elsewhere, views), views, author, {}),
      ],
      [KickUser, new KickUserHandler(members)],
      [KnockRoom, new KnockRoomHandler(members, elsewhere, views, author)],
      [LeaveRoom, new LeaveRoomHandler(members, elsewhere, stays, views, {})],
      [ReceiveOutliers, new ReceiveOutliersHandler(receiving)],
      [ReceivePdus, new ReceivePdusHandler(receiving, merging)],
      [ReceiveRoom, new ReceiveRoomHandler(workers, receiving, joining)],
      [SettleJoin, new SettleJoinHandler(joining)],
      [ReceiveState, new ReceiveStateHandler(workers, receiving, merging, others, store)],
      [ReconsiderStickyEvents, new ReconsiderStickyEventsHandler(workers, views, clock)],
      [RedactEvent, new RedactEventHandler(workers, views)],
      [SendEvent, new SendEventHandler(workers, views, {})],
      [SetRoomListed, new SetRoomListedHandler(workers, views)],
      [SetState, new SetStateHandler(workers, invitations, views, aliases, author, bus)],
      [SubscribeToThread, new SubscribeToThreadHandler(threads, views)],
      [TakeInRoom, new TakeInRoomHandler(workers, receiving)],
      [UnbanUser, new UnbanUserHandler(members)],
      [UnsubscribeFromThread, new UnsubscribeFromThreadHandler(threads, views)],
      [UpgradeRoom, new UpgradeRoomHandler(bus, workers, views, author)],
    ]);
  }

  // The commands answer what they answer; a test looks at what it expects.
  // oxlint-disable-next-line typescript/no-explicit-any
  async execute(command: object): Promise<any> {
    const handler = this.#handlers.get(command.constructor);
    if (handler === undefined) throw new Error(`no handler of ${command.constructor.name}`);
    return handler.execute(command) as unknown;
  }

  async createRoom(creator: UserId, options: CreateRoomOptions = {}): Promise<RoomId> {
    return (await this.execute(new CreateRoom(requesterOf(creator), options))).roomId;
  }

  async send(sender: UserId, roomId: RoomId, content: JsonObject = { body: 'hi' }, txnId?: string): Promise<EventId> {
    const sent: EventSent = await this.execute(
      new SendEvent(requesterOf(sender), roomId, 'm.room.message', content, txnId),
    );
    return sent.eventId;
  }

  async setState(sender: UserId, roomId: RoomId, type: string, content: JsonObject, stateKey = ''): Promise<EventId> {
    const sent: EventSent = await this.execute(new SetState(requesterOf(sender), roomId, type, stateKey, content));
    return sent.eventId;
  }

  /** A room that anybody may join, Alice's. */
  open(options: CreateRoomOptions = {}): Promise<RoomId> {
    return this.createRoom(ALICE, { preset: 'public_chat', room_version: '11', ...options });
  }

  async join(userId: UserId, roomId: RoomId): Promise<void> {
    await this.execute(new JoinRoom(requesterOf(userId), roomId));
  }

  knock(userId: UserId, roomId: RoomId): Promise<void> {
    return this.execute(new KnockRoom(requesterOf(userId), roomId));
  }

  leave(userId: UserId, roomId: RoomId, reason?: string): Promise<void> {
    return this.execute(new LeaveRoom(requesterOf(userId), roomId, reason));
  }

  /** What somebody does to the membership of another. */
  on(userId: UserId, what: keyof typeof ON_OTHERS, roomId: RoomId, target: UserId, reason?: string): Promise<void> {
    return this.execute(new ON_OTHERS[what](requesterOf(userId), roomId, target, reason));
  }

  /** The content that holds a key of the current state. */
  async state(roomId: RoomId, type: string, stateKey = ''): Promise<JsonObject | undefined> {
    await this.views.follow();
    const rows = await listStateRows(this.views, roomId, type);
    const row = rows.find(({ header }) => header.stateKey === stateKey);
    return row && contentOfRow(row);
  }

  async membership(roomId: RoomId, userId: UserId): Promise<unknown> {
    return (await this.state(roomId, 'm.room.member', userId))?.['membership'];
  }

  /** The facts of a room in order, or those of one type. */
  facts(roomId: RoomId, type?: string): RecordedFact[] {
    return this.log.facts.filter((fact) => fact.stream === roomStream(roomId) && (type ?? fact.type) === fact.type);
  }

  /** The events of a room in order, as signed. */
  events(roomId: RoomId): JsonObject[] {
    return this.facts(roomId, 'pdu-accepted').map(({ data }) => (JSON.parse(data) as PduAccepted).pdu);
  }

  /** What `annals verify` says of a room by the keys that this server knows: of all of its facts, or of these. */
  problems(roomId: RoomId, facts: readonly RecordedFact[] = this.facts(roomId)): string[] {
    const verifier = new RoomVerifier(roomId, (server, keyId) => this.keys.find(server as ServerName, keyId)?.key);
    return facts.flatMap((fact) => verifier.check(fact).map(({ problem }) => problem));
  }

  /** What redactions left, in order. */
  redacted(roomId: RoomId): PduRedacted[] {
    return this.facts(roomId, 'pdu-redacted').map(({ data }) => JSON.parse(data) as PduRedacted);
  }
}
