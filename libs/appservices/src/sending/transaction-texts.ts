import { Inject, Injectable } from '@nestjs/common';
import type { AppService } from '#config/appservices/app-service';
import { EVENT_STORE, type EventStore, type RecordedFact } from '#event-store/event-store';
import type { UserId } from '#kernel/ids';
import { VIEWS, type Views } from '#projections/views';
import { createRoomFactReader, type RoomFactReader } from '#rooms/projections/room-fact-reader';
import type { ServiceTransaction } from '../facts/service-facts.js';
import { renderServiceEvent } from './render-service-events.js';

/** Writes the bodies of transactions. */
@Injectable()
export class TransactionTexts {
  constructor(
    @Inject(EVENT_STORE) private readonly store: Pick<EventStore, 'readStream'>,
    @Inject(VIEWS) private readonly views: Views,
  ) {}

  /** The body of a transaction whose facts are at hand. Throws ViewsUnavailable. */
  async write(
    service: AppService,
    facts: readonly RecordedFact[],
    { made_at: madeAt, passing = {} }: Pick<ServiceTransaction, 'made_at' | 'passing'>,
    reader: RoomFactReader,
  ): Promise<string> {
    const isItsUser = (userId: string): boolean => service.hasUser(userId as UserId); // no other text is one of its users
    const events: string[] = [];
    for (const fact of facts) events.push(await renderServiceEvent(fact, reader, this.views, isItsUser, madeAt));
    const others = Object.entries(passing).map(([key, text]) => `,${JSON.stringify(key)}:${text}`);
    return `{"events":[${events.join()}]${others.join('')}}`;
  }

  /** The body of a transaction as it was first written, but for what has gone from the log since. Throws as `write`, and as the log does. */
  async writeAgain(service: AppService, transaction: ServiceTransaction): Promise<string> {
    const facts: RecordedFact[] = [];
    for (const [stream, revision] of transaction.events) {
      for await (const fact of this.store.readStream(transaction.streams[stream]!, { from: revision, limit: 1 })) {
        if (fact.revision === revision) facts.push(fact);
      }
    }
    return this.write(service, facts, transaction, createRoomFactReader());
  }
}
