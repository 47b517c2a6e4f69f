import { EVENT_STORE, type EventStore, type RecordedFact } from '#event-store/event-store';
import { systemClock } from '#kernel/clock';
import type { EventId, RoomId, ServerName } from '#kernel/ids';
import { ExtremityMerging } from '#rooms/commands/merge-extremities';
import { ReceiveOutliers, ReceiveOutliersHandler } from '#rooms/commands/receive-outliers';
import { InvitePermissions } from '#rooms/commands/invite-permissions';
import { ReceivePdus, ReceivePdusHandler } from '#rooms/commands/receive-pdus';
import { ReceiveState, ReceiveStateHandler } from '#rooms/commands/receive-state';
import { type Receipt, Receiving } from '#rooms/commands/receiving';
import { pduTextOf } from '#rooms/facts/fact-text';
import { roomStream } from '#rooms/facts/room-facts';
import { allowAll } from '#rooms/room-policy';
import type { ServerKeys } from '#rooms/server-keys';
import { OtherProcesses } from '#rooms/worker/other-processes';
import { RoomWorkers } from '#rooms/worker/room-workers';
import { TEST_AUTHOR } from '../local-room.js';
import type { SyncApp } from '../sync-app.js';
import type { MemoryRoom } from './memory-room.js';

/** Receives events of a room as the server does, with the keys of others known, and waits until the views show them. */
export class Receiver {
  readonly #receiving: Receiving;
  readonly #merging: ExtremityMerging;

  constructor(
    private readonly app: SyncApp,
    private readonly roomId: RoomId,
    private readonly origin: ServerName,
    keys: ServerKeys,
  ) {
    const workers = app.get(RoomWorkers);
    this.#receiving = new Receiving(workers, keys, app.get(InvitePermissions), allowAll);
    this.#merging = new ExtremityMerging(workers, app.views, TEST_AUTHOR, systemClock);
  }

  pdus(...texts: readonly string[]): Promise<Receipt> {
    return this.#receive(texts);
  }

  /** As what was fetched from the past, which is news to nobody. */
  past(...texts: readonly string[]): Promise<Receipt> {
    return this.#receive(texts, { isHistory: true });
  }

  async #receive(texts: readonly string[], arrival: ReceivePdus['arrival'] = {}): Promise<Receipt> {
    const handler = new ReceivePdusHandler(this.#receiving, this.#merging);
    return this.#shown(await handler.execute(new ReceivePdus(this.origin, this.roomId, texts, arrival)));
  }

  outliers(...texts: readonly string[]): Promise<Receipt> {
    const handler = new ReceiveOutliersHandler(this.#receiving);
    return handler.execute(new ReceiveOutliers(this.origin, this.roomId, texts));
  }

  async state(eventId: EventId, state: readonly EventId[]): Promise<Receipt> {
    const [workers, others] = [this.app.get(RoomWorkers), new OtherProcesses({}, systemClock)];
    const store = this.app.get<EventStore>(EVENT_STORE as never);
    const handler = new ReceiveStateHandler(workers, this.#receiving, this.#merging, others, store);
    const receipt = await handler.execute(new ReceiveState(this.origin, this.roomId, eventId, state));
    if ('kind' in receipt) throw new Error(receipt.kind);
    return this.#shown(receipt);
  }

  async #shown(receipt: Receipt): Promise<Receipt> {
    if (receipt.position !== undefined) await this.app.views.whenProcessed(receipt.position);
    return receipt;
  }
}

/** The facts of a room in the log of an app, as they were written. */
export async function factsOf(app: SyncApp, roomId: RoomId): Promise<RecordedFact[]> {
  const facts: RecordedFact[] = [];
  for await (const fact of app.get<EventStore>(EVENT_STORE as never).readStream(roomStream(roomId), { inParts: true }))
    facts.push(fact);
  return facts;
}

/** Has another server hear of everything that was accepted in a room of an app. `there`: the room as that server has it. */
export async function tellAccepted(app: SyncApp, roomId: RoomId, there: MemoryRoom): Promise<void> {
  for (const { type, data } of await factsOf(app, roomId))
    if (type === 'pdu-accepted') await there.receive(pduTextOf(data));
}
