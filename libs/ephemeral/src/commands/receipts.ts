import { Inject, Injectable } from '@nestjs/common';
import { marksStream } from '#kernel/user-stream';
import type { AccountDataSet } from '#accounts/facts/account-facts';
import { Aggregates, type Cause } from '#event-store/aggregates';
import { EVENT_STORE, type EventStore, type NewFact } from '#event-store/event-store';
import { draftOf, type FactDraft } from '#event-store/seal-facts';
import { CLOCK, type Clock } from '#kernel/clock';
import type { EventId, RoomId, UserId } from '#kernel/ids';
import { KeyedQueue } from '#kernel/keyed-queue';
import { MatrixError } from '#kernel/matrix-error';
import { type Position, START } from '#kernel/position';
import type { Requester } from '#kernel/requester';
import type { CacheNumbers } from '#kernel/lru-cache';
import { ACCOUNT_DATA } from '#accounts/projections/account-data-row';
import { VIEWS, type Views } from '#projections/views';
import { findPlaces } from '#rooms/reading/event-rows';
import { findEventFor } from '#rooms/queries/get-event';
import {
  keyOfMark,
  type MarksEnded,
  type ReceiptSet,
  type ReceiptThread,
  type ReceiptType,
} from '../facts/receipt-facts.js';
import { RECEIPTS } from '../projections/receipts.projector.js';
import { isInThread } from '../queries/thread-of-event.js';
import { checkJoined } from '#rooms/reading/open-room';

/** A receipt that was set here. */
export interface SetReceipt extends ReceiptSet {
  readonly userId: UserId;
  readonly ts: number;
}

export type ReceiptListener = (receipt: SetReceipt) => void;

/** A place in a room that a user wants to be marked as read. */
export type Mark =
  | { readonly kind: 'receipt'; readonly type: ReceiptType; readonly eventId: EventId; readonly thread?: ReceiptThread }
  | { readonly kind: 'fully-read'; readonly eventId: EventId };

const CAPACITY = 1_000;
/** Of so many rooms one fact tells. */
const ROOMS_AT_ONCE = 1_000;

/** The write side of receipts and read markers: facts of a stream of the user's own, which only ever move forward. */
@Injectable()
export class Receipts {
  /** Of the stream nothing is needed to decide, only where it ends: where receipts stand is in the views. */
  readonly #streams: Aggregates<null>;
  readonly #turns = new KeyedQueue<UserId>();
  readonly #listeners = new Set<ReceiptListener>();

  constructor(
    @Inject(EVENT_STORE) private readonly store: EventStore,
    @Inject(CLOCK) clock: Clock,
    @Inject(VIEWS) private readonly views: Views,
  ) {
    const end = { initialState: null, evolve: () => null, newestOnly: true } as const;
    this.#streams = new Aggregates({ store, clock, capacity: CAPACITY, ...end, lastOfEach: keyOfMark });
  }

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#streams.numbers;
  }

  /**
   * Sets marks in a room. One that lies at or before where it stands already changes nothing. Throws M_FORBIDDEN (not in the
   * room), M_NOT_FOUND (the room has no such event, or not for this user), M_INVALID_PARAM (the event is not in the thread).
   */
  set({ userId, deviceId, requestId }: Requester, roomId: RoomId, marks: readonly Mark[]): Promise<void> {
    const cause = { actor: userId, device: deviceId, correlation: requestId };
    return this.#turns.run(userId, () => this.#set(userId, roomId, marks, cause));
  }

  /** As `set`, for a user of another server, which tells it. */
  receive(userId: UserId, roomId: RoomId, marks: readonly Mark[]): Promise<void> {
    return this.#turns.run(userId, () => this.#set(userId, roomId, marks, { actor: userId }));
  }

  /** Lets go of where a user had read to, whose account is closed with what was its. Answers whether there was anything. */
  end(userId: UserId, cause: Cause): Promise<boolean> {
    return this.#turns.run(userId, async () => {
      const stream = marksStream(userId);
      const rooms = new Set<RoomId>();
      for await (const { type, data } of this.store.readStream(stream)) {
        const { room_id: roomId } = JSON.parse(data) as Partial<AccountDataSet>;
        if (type !== 'marks-ended' && roomId !== undefined) rooms.add(roomId);
      }
      if (rooms.size === 0) return false;
      const drafts: FactDraft[] = [];
      for (let all = [...rooms]; all.length > 0; all = all.slice(ROOMS_AT_ONCE))
        drafts.push(
          draftOf({ type: 'marks-ended', data: { rooms: all.slice(0, ROOMS_AT_ONCE) } satisfies MarksEnded }),
        );
      const { revision, position } = await this.#streams.executeLast(stream, () => drafts, cause);
      // Before anything goes: what rows were made of is not there any more after.
      await this.views.whenProcessed(position, [RECEIPTS.name]);
      if (typeof revision === 'number') await this.store.truncate(stream, revision - drafts.length + 1);
      return true;
    });
  }

  /** Calls the listener after each receipt that was set by this process. Answers how to end that. */
  onReceipt(listener: ReceiptListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async #set(userId: UserId, roomId: RoomId, marks: readonly Mark[], cause: Cause): Promise<void> {
    await checkJoined(this.views, roomId, userId);
    const drafts: FactDraft[] = [];
    for (const mark of marks) {
      const draft = await this.#draft(userId, roomId, mark);
      if (draft !== undefined) drafts.push(draft);
    }
    if (drafts.length === 0) return;
    const { position, facts } = await this.#streams.execute(marksStream(userId), () => drafts, cause);
    await this.views.whenProcessed(position);
    if (this.#listeners.size > 0) for (const fact of facts) this.#tell(userId, fact);
  }

  #tell(userId: UserId, { type, data, metadata }: NewFact): void {
    if (type !== 'receipt-set') return;
    const receipt: SetReceipt = { ...(JSON.parse(data) as ReceiptSet), userId, ts: metadata.at };
    for (const listener of this.#listeners) listener(receipt);
  }

  async #draft(userId: UserId, roomId: RoomId, mark: Mark): Promise<FactDraft | undefined> {
    const event = await findEventFor(this.views, roomId, mark.eventId, userId);
    if (event === undefined) throw new MatrixError('M_NOT_FOUND', `No such event in this room: ${mark.eventId}`);
    const { eventId } = mark;
    const thread = mark.kind === 'receipt' ? mark.thread : undefined;
    if (thread !== undefined && !(await isInThread(event.room, eventId, thread))) {
      throw new MatrixError('M_INVALID_PARAM', `event_id ${eventId} is not related to thread ${thread}`);
    }
    const before = await this.#standing(userId, roomId, mark);
    if (before !== undefined && before >= placeOfMark(event.row.header)) return undefined;
    if (mark.kind === 'fully-read') {
      const content = { event_id: eventId };
      const data: AccountDataSet = { room_id: roomId, type: 'm.fully_read', content };
      return draftOf({ type: 'account-data-set', data });
    }
    const receipt: ReceiptSet = { room_id: roomId, receipt_type: mark.type, event_id: eventId, thread_id: thread };
    return draftOf({ type: 'receipt-set', data: receipt });
  }

  /** The position of the event at which a mark stands. */
  async #standing(userId: UserId, roomId: RoomId, mark: Mark): Promise<Position | undefined> {
    const eventId = await this.#markedEvent(userId, roomId, mark);
    if (eventId === undefined) return undefined;
    const [place] = await findPlaces(this.views, roomId, [eventId as EventId]);
    return place && placeOfMark(place);
  }

  async #markedEvent(userId: UserId, roomId: RoomId, mark: Mark): Promise<string | undefined> {
    if (mark.kind === 'receipt') {
      return (await RECEIPTS.get(this.views, [roomId, userId, mark.type, mark.thread ?? '']))?.event_id;
    }
    const row = await ACCOUNT_DATA.get(this.views, [userId, roomId, 'm.fully_read']);
    if (row === undefined) return undefined;
    const { event_id: eventId } = JSON.parse(row.content) as { event_id?: unknown };
    return typeof eventId === 'string' ? eventId : undefined;
  }
}

/** Where a mark stands that is set on an event: on one of the past, before all that was news here. */
function placeOfMark({ position, isHistory }: { readonly position: Position; readonly isHistory?: boolean }): Position {
  return isHistory === true ? START : position;
}
