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
import { hasMessageFor } from '../sending/render-messages.js';
import { renderReceipt } from '../sending/render-ephemeral.js';
import { ServiceRooms } from './service-rooms.js';

/** The types of facts that an application service may have to hear of, or by which changes of what it hears. */
export const FOLLOWED: ReadonlySet<string> = new Set([
  'pdu-accepted',
  'state-taken',
  'membership-told',
  'alias-created',
  'alias-deleted',
  'receipt-set',
  'to-device-sent',
]);

/** What a service is sent of a fact: what the fact holds, or an ephemeral event, as JSON text. */
export type Heard = 'fact' | { readonly ephemeral: string };

/**
 * What of the log an application service hears of: facts are shown to it one after another, in their order. "An application service is said
 * to be interested in a given event if it matches any of the namespaces" (application service API, "Registration").
 */
export class ServiceInterest {
  readonly #rooms: ServiceRooms;

  constructor(
    private readonly service: AppService,
    private readonly reader: RoomFactReader,
    views: Pick<Views, 'scan'>,
  ) {
    this.#rooms = new ServiceRooms(service, views);
  }

  /** What of a fact the service is to be sent; undefined: nothing. Throws ViewsUnavailable; then the same fact can be shown again. */
  async look(fact: RecordedFact): Promise<Heard | undefined> {
    switch (fact.type) {
      case 'pdu-accepted':
        return !isOfThePast(fact.data) && (await this.#isEventFor(fact)) ? 'fact' : undefined;
      case 'state-taken':
        this.#follow(fact);
        return undefined;
      case 'membership-told':
        // What others make of its users in rooms that are not here.
        return this.service.hasUser(userIdOfElsewhere(fact.stream)) ? 'fact' : undefined;
      case 'alias-created':
      case 'alias-deleted':
        this.#rooms.forgetAliases((JSON.parse(fact.data) as AliasCreated | AliasDeleted).room_id);
        return undefined;
      case 'receipt-set':
        return this.service.receivesEphemeral ? this.#lookAtReceipt(fact) : undefined;
      case 'to-device-sent':
        return this.service.receivesEphemeral && hasMessageFor(this.service, fact) ? 'fact' : undefined;
      default:
        return undefined;
    }
  }

  /** Whether the service hears of a room, up to the place to which it has been shown facts. */
  hears(roomId: RoomId, place: Place): Promise<boolean> {
    return this.#rooms.hears(roomId, place);
  }

  /** "Private read receipts MUST only be sent for users matching one of the application service's namespaces." */
  async #lookAtReceipt(fact: RecordedFact): Promise<Heard | undefined> {
    // Of those that are said again others have heard.
    if (isSaidAgain(fact)) return undefined;
    const receipt = JSON.parse(fact.data) as ReceiptSet; // written by libs/ephemeral
    const userId = userIdOfMarks(fact.stream);
    const { room_id: roomId, receipt_type: type } = receipt;
    if (type === 'm.read.private' && !this.service.hasUser(userId)) return undefined;
    if (!(await this.#rooms.hears(roomId, fact.position))) return undefined;
    return { ephemeral: renderReceipt(receipt, userId, fact.metadata.at) };
  }

  /** PERF: of most events nothing is parsed but, of rooms that it hears of, redactions. */
  async #isEventFor(fact: RecordedFact): Promise<boolean> {
    const hears = await this.#rooms.hears(roomIdOfStream(fact.stream), { before: fact.position });
    const movesMembers = mayMoveMembers(fact);
    if (movesMembers) this.#follow(fact);
    if (!hears && !(movesMembers && this.#isAboutUser(fact))) return false;
    return !fact.data.includes('"m.room.redaction"') || !hasToWait(this.reader.accepted(fact).data);
  }

  #isAboutUser(fact: RecordedFact): boolean {
    const { pdu } = this.reader.accepted(fact).data;
    return pdu['type'] === 'm.room.member' && this.service.hasUser(pdu['state_key'] as UserId); // no other text is one of its users
  }

  #follow(fact: RecordedFact): void {
    if (!mayMoveMembers(fact)) return;
    this.#rooms.follow(roomIdOfStream(fact.stream), this.reader.accepted(fact).members);
  }
}

function mayMoveMembers({ data }: RecordedFact): boolean {
  return !changesNoState(data) && data.includes('"m.room.member"');
}
