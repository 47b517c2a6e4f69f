import { Injectable } from '@nestjs/common';
import { type Mark, Receipts } from '#ephemeral/commands/receipts';
import { type EventId, isEventId, isRoomId, isUserId, type RoomId, type ServerName, serverNameOf, type UserId } from '#kernel/ids'; // prettier-ignore
import { isJsonObject, type JsonObject, type JsonValue } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { eachInTurns } from '#projections/each-in-turns';
import { Turn } from '#projections/turn';
import type { GatheringEduHandler } from '../edus/edu-handlers.js';
import { RECEIPT } from './receipt-sender.js';

/** So many of one transaction are looked at, the last: each that says something new is a fact. */
const MOST = 2_000;
/** How many receipts are set at once. PERF: those that are share the durable writes. */
const AT_ONCE = 64;

/** A receipt as another server tells it. */
interface ToldReceipt {
  readonly roomId: RoomId;
  readonly userId: UserId;
  readonly mark: Mark & { readonly kind: 'receipt' };
}

/** `m.receipt`: what users of another server have read. */
@Injectable()
export class ReceiptHandler implements GatheringEduHandler {
  readonly type = RECEIPT;

  constructor(private readonly receipts: Receipts) {}

  /**
   * Of each user in each room and thread the last counts. What is told of users of a third server, of who is not in the room, and of
   * events that are not here, is let be.
   */
  async receiveAll(origin: ServerName, contents: readonly JsonObject[]): Promise<void> {
    const told = new Map<string, ToldReceipt>();
    const turn = new Turn();
    for (const receipt of contents.flatMap(readReceipts)) {
      if (turn.isOver()) await turn.pass();
      const { roomId, userId, mark } = receipt;
      if (serverNameOf(userId) !== origin) continue;
      const key = JSON.stringify([roomId, userId, mark.thread]);
      told.delete(key); // put behind the others: the last are looked at
      told.set(key, receipt);
    }
    await eachInTurns([...told.values()].slice(-MOST), AT_ONCE, (receipt) => this.#set(receipt));
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

function readMark(told: JsonValue | undefined): ToldReceipt['mark'] | undefined {
  if (!isJsonObject(told) || !Array.isArray(told['event_ids'])) return undefined;
  const eventId: unknown = told['event_ids'][0];
  if (typeof eventId !== 'string' || !isEventId(eventId)) return undefined;
  const thread = isJsonObject(told['data']) ? told['data']['thread_id'] : undefined;
  const mark = { kind: 'receipt', type: 'm.read', eventId } as const;
  if (thread === undefined) return mark;
  if (typeof thread !== 'string' || !(thread === 'main' || isEventId(thread))) return undefined;
  return { ...mark, thread: thread as EventId | 'main' };
}
