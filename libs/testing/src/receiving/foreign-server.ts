import { type EventId, type RoomId, type ServerName, type UserId } from '#kernel/ids';
import type { JsonObject, JsonValue } from '#kernel/json';
import { parseRoomEvent } from '#protocol/parse-room-event';
import type { RoomEvent } from '#protocol/room-event';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { sealEvent } from '#protocol/signing/seal-event';
import { createSigningKey, parseVerifyKey, type SigningKey, type VerifyKey } from '#protocol/signing/signing-key';

/** What a test says of an event of another server; all else has a default. */
export interface ForeignDraft {
  readonly type: string;
  readonly sender: string;
  readonly stateKey?: string;
  readonly content?: JsonObject;
  readonly prev: readonly string[];
  readonly auth: readonly string[];
  readonly depth?: number;
  readonly ts?: number;
  readonly redacts?: string;
  /** Further keys of the PDU. */
  readonly pdu?: JsonObject;
}

/** An event as another server sends it. */
export interface ForeignPdu {
  readonly event: RoomEvent;
  /** Its canonical JSON. */
  readonly text: string;
}

/** Another server of the federation: it makes events, really hashed and signed, whether any rule allows them or not. */
export class ForeignServer {
  readonly name: ServerName;
  readonly signingKey: SigningKey;
  readonly verifyKey: VerifyKey;
  #made = 0;

  constructor(name: string, seed: number) {
    this.name = name as ServerName;
    this.signingKey = createSigningKey(Buffer.alloc(32, seed), `k${seed}`);
    this.verifyKey = parseVerifyKey(this.signingKey.publicKey) as VerifyKey;
  }

  user(localpart: string): UserId {
    return `@${localpart}:${this.name}` as UserId;
  }

  /** The create event of a new room of this server. */
  create(version: RoomVersion, creator: string, content: JsonObject = {}): ForeignPdu {
    const all = { room_version: version.id, ...(version.creatorInContent ? { creator } : {}), ...content };
    const draft = { type: 'm.room.create', sender: creator, stateKey: '', content: all, prev: [], auth: [], depth: 1 };
    return this.make(version, version.roomIdIsCreateHash ? undefined : (`!room:${this.name}` as RoomId), draft);
  }

  /** An event of a room; without a room id only for a create event whose hash is the room's id. */
  make(version: RoomVersion, roomId: RoomId | undefined, draft: ForeignDraft): ForeignPdu {
    const { type, sender, stateKey, content = {}, prev, auth, depth = 1, ts = 1_000, redacts, pdu = {} } = draft;
    const write = (ids: readonly string[]): JsonValue =>
      version.references === 'pairs' ? ids.map((id) => [id, { sha256: '' }]) : ids;
    const inContent = redacts !== undefined && version.redactsInContent;
    const unsealed: JsonObject = {
      auth_events: write(auth),
      content: inContent ? { ...content, redacts } : content,
      depth,
      origin_server_ts: ts,
      prev_events: write(prev),
      sender,
      type,
      ...(roomId === undefined ? {} : { room_id: roomId }),
      ...(stateKey === undefined ? {} : { state_key: stateKey }),
      ...(redacts === undefined || inContent ? {} : { redacts }),
      ...(version.eventIds === 'opaque' ? { event_id: `$${this.#made++}:${this.name}` } : {}),
      ...pdu,
    };
    const sealed = sealEvent(unsealed, version, this.name, this.signingKey);
    return { event: parseRoomEvent(sealed.pdu, version, roomId, sealed), text: sealed.json };
  }
}

/** The ids of events. */
export function idsOf(...events: readonly { readonly eventId: EventId }[]): EventId[] {
  return events.map(({ eventId }) => eventId);
}
