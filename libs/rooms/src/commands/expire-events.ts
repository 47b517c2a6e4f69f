import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { EventId, RoomId } from '#kernel/ids';
import { VIEWS, type Views } from '#projections/views';
import { canonicalJson } from '#protocol/canonical-json/canonical-json';
import { redact } from '#protocol/redaction/redact';
import { expiryOf } from '../decide/retention.js';
import type { MessagesKept } from '../facts/ordered-redaction.js';
import { RoomWorkers } from '../worker/room-workers.js';

/** What is left of events takes this much of a write at most: a log takes 1 MB at once. */
const MOST_BYTES = 256 * 1024;

/**
 * Takes the content of messages away that are older than their room keeps them, as a redaction on this server alone does: what follows of that
 * (views, media, the log) follows of this too. Of state nothing goes, nor of what is redacted already. Answers how many of them it has come to, in
 * their order: whoever has more says the rest again.
 */
export class ExpireEvents extends Command<number> {
  constructor(
    readonly roomId: RoomId,
    readonly eventIds: readonly EventId[],
    readonly kept: MessagesKept,
  ) {
    super();
  }
}

@CommandHandler(ExpireEvents)
export class ExpireEventsHandler implements ICommandHandler<ExpireEvents> {
  constructor(
    private readonly workers: RoomWorkers,
    @Inject(VIEWS) private readonly views: Views,
  ) {}

  async execute({ roomId, eventIds, kept }: ExpireEvents): Promise<number> {
    const { result, position } = await this.workers.run(roomId, { actor: 'server' }, async (turn) => {
      const { version } = turn.head;
      const known = await turn.known.find(eventIds);
      let bytes = 0;
      let done = 0;
      for (const eventId of eventIds) {
        const { event, isRedacted } = known.get(eventId) ?? {};
        if (event !== undefined && event.stateKey === undefined && isRedacted !== true) {
          const remains = redact(event.pdu, version);
          bytes += canonicalJson(remains, { lenient: !version.strictCanonicalJson }).length;
          if (bytes > MOST_BYTES && done > 0) break;
          const redacted_by = expiryOf(eventId) as EventId;
          const ordered = { expired: kept };
          turn.redact({ event_id: eventId, redacted_by, ordered, room_version: version.id }, remains);
        }
        done++;
      }
      return done;
    });
    if (position !== undefined) await this.views.whenProcessed(position);
    return result;
  }
}
