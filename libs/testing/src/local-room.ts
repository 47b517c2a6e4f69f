import type { EventStore } from '#event-store/event-store';
import type { EventId, RoomId, ServerName, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { redact } from '#protocol/redaction/redact';
import type { RoomEvent } from '#protocol/room-event';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { createSigningKey } from '#protocol/signing/signing-key';
import { decideCreateEvent, type EventAuthor, type EventDraft, seal } from '#rooms/decide/decide-event';
import { headBeforeCreate } from '#rooms/decide/room-head';
import { roomEventOfPdu } from '#rooms/facts/read-room-fact';
import { liveRoom } from '#rooms/worker/live-room';
import { RoomSnapshots } from '#rooms/worker/room-snapshots';
import { RoomWorkers } from '#rooms/worker/room-workers';
import { MemoryReadModels } from './memory-read-models.js';
import { NO_VIEWS } from './no-views.js';

/** The server that test rooms belong to, and the key it signs with. */
export const TEST_AUTHOR: EventAuthor = Object.freeze({
  serverName: 'a.example' as ServerName,
  signingKey: createSigningKey(new Uint8Array(32).fill(7), '1'),
});

export const ALICE = '@alice:a.example' as UserId;
export const BOB = '@bob:a.example' as UserId;

const DEVICE = 'ALICESPHONE';

/** A room of one server, written by the same worker that the server uses. */
export class LocalRoom {
  private constructor(
    readonly roomId: RoomId,
    readonly version: RoomVersion,
    private readonly workers: RoomWorkers,
  ) {}

  /** Begins a room with Alice's join in it. */
  static async begin(store: EventStore, versionId = '11', localpart = 'r'): Promise<LocalRoom> {
    const version = findRoomVersion(versionId);
    if (version === undefined) throw new Error(`there is no room version ${versionId}`);
    const snapshots = new RoomSnapshots(store, new MemoryReadModels(), (_, error) => {
      throw error;
    });
    let now = 1_700_000_000_000;
    const clock = { now: () => now++ };
    const workers = new RoomWorkers({ store, snapshots, views: NO_VIEWS, author: TEST_AUTHOR, clock });
    const named = `!${localpart}:${TEST_AUTHOR.serverName}` as RoomId;
    const sealed = seal(createPdu(version, named), version, TEST_AUTHOR);
    const roomId = version.roomIdIsCreateHash ? (`!${sealed.eventId.slice(1)}` as RoomId) : named;
    const event = roomEventOfPdu(roomId, sealed.eventId, sealed.pdu, version);
    const head = headBeforeCreate(version, event);
    const room = new LocalRoom(roomId, version, workers);
    await workers.create(liveRoom(roomId, head), { actor: ALICE, device: DEVICE }, async (turn) => {
      turn.accept(decideCreateEvent(head, event, sealed.json));
      await turn.send(member(ALICE, ALICE, 'join'));
    });
    return room;
  }

  /** Sends an event; Alice's unless the draft says otherwise. */
  async send(draft: Omit<EventDraft, 'sender'> & { readonly sender?: UserId }): Promise<RoomEvent> {
    const sender = draft.sender ?? ALICE;
    const context = { actor: sender, device: DEVICE };
    return (await this.workers.run(this.roomId, context, (turn) => turn.send({ ...draft, sender }))).result;
  }

  say(body: string, sender: UserId = ALICE): Promise<RoomEvent> {
    return this.send({ type: 'm.room.message', content: { msgtype: 'm.text', body }, sender });
  }

  setState(type: string, content: JsonObject, stateKey = ''): Promise<RoomEvent> {
    return this.send({ type, stateKey, content });
  }

  setMembership(userId: UserId, membership: string, sender: UserId = userId): Promise<RoomEvent> {
    return this.send(member(userId, sender, membership));
  }

  /** Alice redacts an event of this room, and it takes effect. */
  async redact(target: RoomEvent): Promise<EventId> {
    const { version } = this;
    const { result } = await this.workers.run(this.roomId, { actor: ALICE, device: DEVICE }, async (turn) => {
      const decided = await turn.decide({
        type: 'm.room.redaction',
        sender: ALICE,
        content: version.redactsInContent ? { redacts: target.eventId } : {},
        redacts: version.redactsInContent ? undefined : target.eventId,
      });
      const redaction = turn.accept({ ...decided, header: { ...decided.header, takes_effect: true } });
      const header = { event_id: target.eventId, redacted_by: redaction.eventId, room_version: version.id };
      turn.redact(header, redact(target.pdu, version));
      return redaction.eventId;
    });
    return result;
  }

  /** Lists the room in the public directory. */
  async list(): Promise<void> {
    await this.workers.run(this.roomId, { actor: ALICE, device: DEVICE }, async (turn) => {
      turn.append('room-listed', { listed: true, by: ALICE });
    });
  }
}

function member(userId: UserId, sender: UserId, membership: string): EventDraft {
  return { type: 'm.room.member', stateKey: userId, sender, content: { membership } };
}

function createPdu(version: RoomVersion, roomId: RoomId): JsonObject {
  return {
    auth_events: [],
    content: { room_version: version.id, ...(version.creatorInContent ? { creator: ALICE } : {}) },
    depth: 1,
    origin_server_ts: 1_700_000_000_000,
    prev_events: [],
    sender: ALICE,
    state_key: '',
    type: 'm.room.create',
    ...(version.roomIdIsCreateHash ? {} : { room_id: roomId }),
  };
}
