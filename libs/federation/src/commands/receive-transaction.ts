import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { Counted } from '#kernel/counted';
import { isRoomId, type RoomId, type ServerName } from '#kernel/ids';
import { isJsonObject, type JsonValue } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { Pdu } from '#protocol/room-event';
import { TakeEdus } from '../edus/take-edus.js';
import type { PduResult, PduResults } from '../facts/origin-facts.js';
import { Refusals } from '../refusals/refusals.js';
import { type Part, readInParts, type SignedContent } from '../receive/unread-part.js';
import { MOST_EDUS, MOST_PDUS } from '../transaction-limits.js';
import { AnsweredTransactions } from './answered-transactions.js';
import { TakePdus } from './take-pdus.js';

/**
 * A server sends one after another, and some from several processes; where a room is slow it comes again before it was answered. Each may be
 * 10 MB, which is held until then.
 */
const MOST_AT_ONCE = 10;
const RETRY_AFTER_MS = 5_000;
/** Of the id of a transaction so much is remembered with what came in it. */
const MOST_NAMED = 100;

/**
 * Receives what another server sends: server-server API, "Transactions". Answers what became of each PDU, by its event id. Once it is
 * answered all of it is in the log: in its room, or as an event that waits for others. The same transaction again is answered as before,
 * with nothing done; while the first is under way it waits for that. Where it holds more than before it is received anew: Dendrite adds
 * to a transaction that it heard no answer to, under the same id. One bad PDU or EDU harms no other.
 *
 * Throws M_BAD_JSON for what is no transaction; M_LIMIT_EXCEEDED where its server has too many under way, or there is no room for all that has to
 * wait; and as the log and the views where these cannot be reached: then it is to be sent again.
 */
export class ReceiveTransaction {
  constructor(
    readonly origin: ServerName,
    readonly txnId: string,
    /** Its body, numbers spelled as they were. */
    readonly content: SignedContent,
  ) {}
}

@CommandHandler(ReceiveTransaction)
export class ReceiveTransactionHandler implements ICommandHandler<ReceiveTransaction> {
  readonly #underWay = new Map<string, Promise<PduResults>>();
  /** How many of each server are under way. */
  readonly #counts = new Counted<ServerName>();

  constructor(
    private readonly answered: AnsweredTransactions,
    private readonly pdus: TakePdus,
    private readonly edus: TakeEdus,
    private readonly refusals: Refusals,
  ) {}

  async execute(command: ReceiveTransaction): Promise<PduResults> {
    const { origin } = command;
    if (!this.#counts.begin(origin, MOST_AT_ONCE)) {
      throw new MatrixError('M_LIMIT_EXCEEDED', 'You send too many transactions at once', {
        fields: { retry_after_ms: RETRY_AFTER_MS },
      });
    }
    try {
      return await this.#receiveInTurn(command);
    } finally {
      this.#counts.end(origin);
    }
  }

  #receiveInTurn(command: ReceiveTransaction): Promise<PduResults> {
    const name = `${command.origin} ${command.txnId}`;
    const before = this.#underWay.get(name)?.catch(() => {});
    const underWay = (
      before === undefined ? this.#receive(command) : before.then(() => this.#receive(command))
    ).finally(() => {
      if (this.#underWay.get(name) === underWay) this.#underWay.delete(name);
    });
    this.#underWay.set(name, underWay);
    return underWay;
  }

  async #receive({ origin, txnId, content }: ReceiveTransaction): Promise<PduResults> {
    const pdus = listOf(content, 'pdus', MOST_PDUS);
    const edus = listOf(content, 'edus', MOST_EDUS);
    const before = await this.answered.find(origin, txnId);
    const holdsMore =
      before === undefined || pdus.length > Object.keys(before.pdus).length || edus.length > before.edus;
    if (!holdsMore) return before.pdus;
    const [results] = await Promise.all([this.#takePdus(origin, txnId, pdus), this.edus.take(origin, edus, txnId)]);
    // Of EDUs alone the same answer is given again: what must not happen twice their handlers see to.
    await this.answered.note(origin, txnId, { pdus: results, edus: edus.length }, pdus.length > 0);
    return results;
  }

  async #takePdus(origin: ServerName, txnId: string, pdus: readonly Part[]): Promise<PduResults> {
    const results: Record<string, PduResult> = {};
    for (const some of readInParts(pdus)) Object.assign(results, await this.#takeSome(origin, txnId, some));
    return results;
  }

  /** Rooms do not wait for each other. */
  async #takeSome(origin: ServerName, txnId: string, pdus: readonly JsonValue[]): Promise<PduResults> {
    const rooms = new Map<RoomId, Pdu[]>();
    for (const pdu of pdus) {
      const roomId = isJsonObject(pdu) ? pdu['room_id'] : undefined;
      // What names no room has no event id either, and cannot be spoken of.
      if (!isJsonObject(pdu) || typeof roomId !== 'string' || !isRoomId(roomId)) continue;
      rooms.set(roomId, [...(rooms.get(roomId) ?? []), pdu]);
    }
    const transaction = txnId.slice(0, MOST_NAMED);
    const take = async ([roomId, ofRoom]: [RoomId, Pdu[]]): Promise<[string, PduResult][]> => {
      const taken = await this.pdus.take(origin, transaction, roomId, ofRoom);
      return taken.map(({ eventId, result, refusal }) => {
        if (refusal !== undefined) {
          this.refusals.note(origin, { ...refusal, room_id: roomId, event_id: eventId, txn_id: transaction });
        }
        return [eventId, result];
      });
    };
    return Object.fromEntries((await Promise.all([...rooms].map(take))).flat());
  }
}

/** Throws M_BAD_JSON. */
function listOf(content: SignedContent, key: string, most: number): readonly Part[] {
  const list: unknown = content[key] ?? [];
  if (!Array.isArray(list)) throw new MatrixError('M_BAD_JSON', `${key}: must be a list`);
  if (list.length > most) throw new MatrixError('M_BAD_JSON', `${key}: a transaction holds ${most} at most`);
  return list as readonly Part[]; // what a list of such content holds
}
