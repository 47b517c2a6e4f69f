import { Inject, Injectable } from '@nestjs/common';
import { mailboxOfServer, SENT_STREAM_PREFIX } from '#devices/facts/to-device-facts';
import { Inboxes } from '#devices/inboxes';
import { INBOX } from '#devices/projections/inbox.projector';
import { EVENT_STORE, type EventStore, type RecordedFact } from '#event-store/event-store';
import type { ServerName } from '#kernel/ids';
import type { Position } from '#kernel/position';
import { VIEWS, type Views } from '#projections/views';
import type { AddressedEdu, DurableEdu, Edu, EduSource } from '../sending/edu-source.js';
import { splitMessages } from './split-messages.js';

/** So many facts are read at a time: each may be a megabyte. */
const PAGE = 10;

/** Messages to devices of users of other servers. What a server has is noted, so that it goes from the log. */
@Injectable()
export class ToDeviceSource implements EduSource {
  constructor(
    @Inject(EVENT_STORE) private readonly store: Pick<EventStore, 'readStream'>,
    @Inject(VIEWS) private readonly views: Pick<Views, 'scan'>,
    private readonly inboxes: Inboxes,
  ) {}

  concerns({ type, stream }: RecordedFact): boolean {
    return type === 'to-device-sent' && stream.startsWith(SENT_STREAM_PREFIX);
  }

  async edusOf(fact: RecordedFact): Promise<readonly AddressedEdu[]> {
    return [...splitMessages(fact)].flatMap(([server, edus]) =>
      this.#durable(edus, fact.position).map((edu) => ({ destinations: [server], edu })),
    );
  }

  async *missedBy(destination: ServerName, since: Position): AsyncGenerator<readonly DurableEdu[]> {
    const mailbox = mailboxOfServer(destination);
    for await (const page of INBOX.pages(this.views, { prefix: mailbox, from: [...mailbox, since] }, PAGE)) {
      for (const { key, value } of page) {
        for await (const fact of this.store.readStream(value.stream, { from: value.revision, limit: 1 })) {
          // It may have gone from the log since the row was read.
          if (fact.revision !== value.revision) continue;
          yield this.#durable(splitMessages(fact).get(destination) ?? [], key[2]);
        }
      }
    }
  }

  /** With the last the server has all that a fact is to tell it. */
  #durable(edus: readonly Edu[], position: Position): DurableEdu[] {
    const accepted = (server: ServerName): void => this.inboxes.noteDelivered(mailboxOfServer(server), position);
    return edus.map((edu, i) => (i === edus.length - 1 ? { ...edu, accepted } : edu));
  }
}
