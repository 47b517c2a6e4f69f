import { Inject, Injectable } from '@nestjs/common';
import type { AppService } from '#config/appservices/app-service';
import { EVENT_STORE, type EventStore, type RecordedFact } from '#event-store/event-store';
import type { UserId } from '#kernel/ids';
import { Turn } from '#projections/turn';
import { VIEWS, type Views } from '#projections/views';
import { createRoomFactReader, type RoomFactReader } from '#rooms/projections/room-fact-reader';
import type { ServiceTransaction } from '../facts/service-facts.js';
import { renderMessages } from './render-messages.js';
import { renderServiceEvent } from './render-service-events.js';

/** What else may be in the body of a transaction, by its key: the keys that it had while it was proposed, and has where it still is. */
const PROPOSED_KEYS: Readonly<Record<string, readonly string[]>> = {
  ephemeral: ['de.sorunome.msc2409.ephemeral'],
  to_device: ['de.sorunome.msc2409.to_device'],
  device_lists: ['org.matrix.msc3202.device_lists'],
  // Two spellings of it are in use.
  device_one_time_keys_count: [
    'org.matrix.msc3202.device_one_time_keys_count',
    'org.matrix.msc3202.device_one_time_key_counts',
  ],
  device_unused_fallback_key_types: ['org.matrix.msc3202.device_unused_fallback_key_types'],
};

/** Writes the bodies of transactions. */
@Injectable()
export class TransactionTexts {
  constructor(
    @Inject(EVENT_STORE) private readonly store: Pick<EventStore, 'readStream'>,
    @Inject(VIEWS) private readonly views: Views,
  ) {}

  /** The body of a transaction whose facts are at hand, written while everything else has its turn. Throws ViewsUnavailable. */
  async write(
    service: AppService,
    facts: readonly RecordedFact[],
    { made_at: madeAt, passing = {} }: Pick<ServiceTransaction, 'made_at' | 'passing'>,
    reader: RoomFactReader,
  ): Promise<string> {
    const isItsUser = (userId: string): boolean => service.hasUser(userId as UserId); // no other text is one of its users
    const events: string[] = [];
    const messages: string[] = [];
    const turn = new Turn(1);
    for (const fact of facts) {
      if (turn.isOver()) await turn.pass();
      if (fact.type === 'to-device-sent') messages.push(...renderMessages(service, fact));
      else events.push(await renderServiceEvent(fact, reader, this.views, isItsUser, madeAt));
    }
    const others = { ...passing, ...(messages.length === 0 ? {} : { to_device: `[${messages.join()}]` }) };
    return `{"events":[${events.join()}]${Object.entries(others).map(underAllKeys).join('')}}`;
  }

  /**
   * The body of a transaction as it was first written, but for what has gone from the log since, and its facts. Throws as `write`, and as the
   * log does.
   */
  async writeAgain(
    service: AppService,
    transaction: ServiceTransaction,
  ): Promise<{ readonly body: string; readonly facts: readonly RecordedFact[] }> {
    const facts: RecordedFact[] = [];
    const turn = new Turn(1);
    for (const [stream, revision] of transaction.events) {
      if (turn.isOver()) await turn.pass();
      for await (const fact of this.store.readStream(transaction.streams[stream]!, { from: revision, limit: 1 })) {
        if (fact.revision === revision) facts.push(fact);
      }
    }
    const body = await this.write(service, facts, transaction, createRoomFactReader());
    // By rows that somebody threw away meanwhile what an event replaced may never have been there.
    await this.views.confirm();
    return { body, facts };
  }
}

function underAllKeys([key, text]: [key: string, text: string]): string {
  return [key, ...(PROPOSED_KEYS[key] ?? [])].map((each) => `,${JSON.stringify(each)}:${text}`).join('');
}
