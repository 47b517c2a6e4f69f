import { Injectable } from '@nestjs/common';
import { type Mark, Receipts } from '#ephemeral/commands/receipts';
import { type EventId, isEventId, isRoomId, isUserId, type RoomId, type ServerName, serverNameOf, type UserId } from '#kernel/ids'; // prettier-ignore
import { isJsonObject, type JsonObject, type JsonValue } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { Slots } from '#kernel/slots';
import type { EduHandler } from '../edus/edu-handlers.js';
import { RECEIPT } from './receipt-sender.js';

/** So many of one EDU are looked at. */
const MOST = 1_000;
/** How many users' receipts are set at once. */
const AT_ONCE = 16;

/** A receipt as another server tells it. */
interface ToldReceipt {
  readonly roomId: RoomId;
  readonly userId: UserId;
  readonly mark: Mark;
}

/** `m.receipt`: what users of another server have read. */
@Injectable()
export class ReceiptHandler implements EduHandler {
  readonly type = RECEIPT;

  constructor(private readonly receipts: Receipts) {}

  /** What is told of users of a third server, of who is not in the room, and of events that are not here, is let be. */
  async receive(origin: ServerName, content: JsonObject): Promise<void> {
    const slots = new Slots(AT_ONCE);
    const told = readReceipts(content).filter(({ userId }) => serverNameOf(userId) === origin);
    await Promise.all(told.slice(0, MOST).map((receipt) => slots.run(() => this.#set(receipt))));
  }

  async #set({ roomId, userId, mark }: ToldReceipt): Promise<void> {
    try {
      await this.receipts.receive(userId, roomId, [mark]);
    } catch (error) {
      if (!(error instanceof MatrixError)) throw error;
    }
  }
}

function readReceipts(content: JsonObject): ToldReceipt[] {
  return Object.entries(content).flatMap(([roomId, types]) => {
    const users = isJsonObject(types) ? types['m.read'] : undefined;
    if (!isRoomId(roomId) || !isJsonObject(users)) return [];
    return Object.entries(users).flatMap(([userId, told]) => {
      const mark = readMark(told);
      return isUserId(userId) && mark !== undefined ? [{ roomId, userId, mark }] : [];
    });
  });
}

function readMark(told: JsonValue | undefined): Mark | undefined {
  if (!isJsonObject(told) || !Array.isArray(told['event_ids'])) return undefined;
  const eventId: unknown = told['event_ids'][0];
  if (typeof eventId !== 'string' || !isEventId(eventId)) return undefined;
  const thread = isJsonObject(told['data']) ? told['data']['thread_id'] : undefined;
  const mark = { kind: 'receipt', type: 'm.read', eventId } as const;
  if (thread === undefined) return mark;
  if (typeof thread !== 'string' || !(thread === 'main' || isEventId(thread))) return undefined;
  return { ...mark, thread: thread as EventId | 'main' };
}
