import type { AppService } from '#config/appservices/app-service';
import type { AliasCreated, AliasDeleted } from '#directory/facts/alias-facts';
import type { RecordedFact } from '#event-store/event-store';
import { isSaidAgain } from '#event-store/shorten-stream';
import type { ReceiptSet } from '#ephemeral/facts/receipt-facts';
import type { RoomId, UserId } from '#kernel/ids';
import type { Place } from '#kernel/position';
import { userIdOfMarks } from '#kernel/user-stream';
import type { Views } from '#projections/views';
import { userIdOfElsewhere } from '#rooms/facts/elsewhere-facts';
import { changesNoState, isOfThePast } from '#rooms/facts/fact-text';
import { roomIdOfStream } from '#rooms/facts/room-facts';
import type { RoomFactReader } from '#rooms/projections/room-fact-reader';
import { hasToWait } from '#rooms/projections/waiting-redactions';
import { DEVICE_KEY_SHAPES } from '#devices/facts/device-key-facts';
import { KEY_CHANGE_TYPES } from '#devices/facts/key-changes';
import type { Passing } from './passing.js';
import { hasMessageFor, sizeOfMessages } from '../texts/render-messages.js';
import { renderReceipt } from '../texts/render-ephemeral.js';
import { ServiceDevices } from './service-devices.js';
import { ServiceRooms } from './service-rooms.js';

const DEVICE_KEY_TYPES: ReadonlySet<string> = new Set(Object.keys(DEVICE_KEY_SHAPES));

/** The types of facts that an application service may have to hear of, or by which changes of what it hears. */
export const FOLLOWED: ReadonlySet<string> = new Set([
  'pdu-accepted',
  'state-taken',
  'membership-told',
  'alias-created',
  'alias-deleted',
  'receipt-set',
  'to-device-sent',
  ...KEY_CHANGE_TYPES,
  ...DEVICE_KEY_TYPES,
]);

/**
 * What of the log an application service hears of: facts are shown to it one after another, in their order. "An application service is said
 * to be interested in a given event if it matches any of the namespaces" (application service API, "Registration").
 */
export class ServiceInterest {
  readonly #rooms: ServiceRooms;
  readonly #devices: ServiceDevices;

  constructor(
    private readonly service: AppService,
    private readonly reader: RoomFactReader,
    views: Pick<Views, 'scan' | 'history'>,
  ) {
    this.#rooms = new ServiceRooms(service, views);
    this.#devices = new ServiceDevices(service, this.#rooms, views);
  }

  /**
   * Whether the service is to be sent what a fact holds. What of it passes is added to `passing`. Throws ViewsUnavailable; then what was
   * followed so far is not to be gone on with.
   */
  async look(fact: RecordedFact, passing: Passing): Promise<boolean> {
    switch (fact.type) {
      case 'pdu-accepted':
        return !isOfThePast(fact.data) && this.#isEventFor(fact, passing);
      case 'state-taken':
        if (mayMoveMembers(fact)) await this.#follow(fact, passing);
        return false;
      case 'membership-told':
        // What others make of its users in rooms that are not here.
        return this.service.hasUser(userIdOfElsewhere(fact.stream));
      case 'alias-created':
      case 'alias-deleted':
        this.#rooms.forgetAliases((JSON.parse(fact.data) as AliasCreated | AliasDeleted).room_id);
        return false;
      case 'receipt-set':
        if (this.service.receivesEphemeral) await this.#lookAtReceipt(fact, passing);
        return false;
      case 'to-device-sent':
        return this.service.receivesEphemeral && hasMessageFor(this.service, fact);
      default:
        if (this.service.receivesDevices) await this.#lookAtDevices(fact, passing);
        return false;
    }
  }

  /** How many events the service is sent of a fact that it is to be sent, and how long they are as text, about, in UTF-16 units. */
  sizeOf(fact: RecordedFact): { readonly events: number; readonly text: number } {
    if (fact.type !== 'to-device-sent') return { events: 1, text: fact.data.length };
    const { messages, text } = sizeOfMessages(this.service, fact);
    return { events: messages, text };
  }

  /** Whether the service hears of a room, up to the place to which it has been shown facts. */
  hears(roomId: RoomId, place: Place): Promise<boolean> {
    return this.#rooms.hears(roomId, place);
  }

  /** Whether somebody is one of the service's users, or shares a room with it. */
  knows(userId: UserId, place: Place): Promise<boolean> {
    return this.#devices.knows(userId, place);
  }

  async #lookAtDevices(fact: RecordedFact, passing: Passing): Promise<void> {
    if (DEVICE_KEY_TYPES.has(fact.type)) this.#devices.lookAtCounts(fact, passing);
    if (KEY_CHANGE_TYPES.has(fact.type)) await this.#devices.lookAtKeys(fact, passing);
  }

  /** "Private read receipts MUST only be sent for users matching one of the application service's namespaces." */
  async #lookAtReceipt(fact: RecordedFact, passing: Passing): Promise<void> {
    // Of those that are said again others have heard.
    if (isSaidAgain(fact)) return;
    const receipt = JSON.parse(fact.data) as ReceiptSet; // written by libs/ephemeral
    const userId = userIdOfMarks(fact.stream);
    const { room_id: roomId, receipt_type: type } = receipt;
    if (type === 'm.read.private' && !this.service.hasUser(userId)) return;
    if (await this.#rooms.hears(roomId, fact.position)) {
      passing.addEphemeral(renderReceipt(receipt, userId, fact.metadata.at));
    }
  }

  /** PERF: of most events nothing is parsed but, of rooms that it hears of, redactions. */
  async #isEventFor(fact: RecordedFact, passing: Passing): Promise<boolean> {
    const movesMembers = mayMoveMembers(fact);
    const hears = movesMembers
      ? await this.#follow(fact, passing)
      : await this.#rooms.hears(roomIdOfStream(fact.stream), { before: fact.position });
    if (!hears && !(movesMembers && this.#isAboutUser(fact))) return false;
    return !fact.data.includes('"m.room.redaction"') || !hasToWait(this.reader.accepted(fact).data);
  }

  /** Answers whether the service heard of the room before the fact. */
  async #follow(fact: RecordedFact, passing: Passing): Promise<boolean> {
    const roomId = roomIdOfStream(fact.stream);
    const { members } = this.reader.accepted(fact);
    const heard = await this.#rooms.hears(roomId, { before: fact.position });
    this.#rooms.follow(roomId, members);
    if (this.service.receivesDevices && members.length > 0) {
      await this.#devices.lookAtMembers(roomId, members, heard, fact.position, passing);
    }
    return heard;
  }

  #isAboutUser(fact: RecordedFact): boolean {
    const { pdu } = this.reader.accepted(fact).data;
    return pdu['type'] === 'm.room.member' && this.service.hasUser(pdu['state_key'] as UserId); // no other text is one of its users
  }
}

function mayMoveMembers({ data }: RecordedFact): boolean {
  return !changesNoState(data) && data.includes('"m.room.member"');
}
