import { Inject, Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { type Config, CONFIG } from '#config/config';
import type { RecordedFact } from '#event-store/event-store';
import type { UserId } from '#kernel/ids';
import type { Effect } from '#projections/effects/effect';
import { ReconsiderStickyEvents } from '#rooms/commands/reconsider-sticky-events';
import { changesNoState, isOfThePast } from '#rooms/facts/fact-text';
import { roomIdOfStream } from '#rooms/facts/room-facts';
import { createRoomFactReader, currentMembersOf } from '#rooms/projections/room-fact-reader';

/** Has the sticky events of somebody looked at again that were soft-failed, once what they are in the room is something else: MSC4354. */
@Injectable()
export class RefusedStickyEvents implements Effect {
  readonly name = 'refused-sticky-events';
  readonly #reader = createRoomFactReader();

  constructor(
    private readonly commands: CommandBus,
    @Inject(CONFIG) private readonly config: Pick<Config, 'stickyEvents'>,
  ) {}

  /** PERF: of a message, and where no events are to be sticky, told from the text. */
  keyOf({ type, stream, data }: RecordedFact): string | undefined {
    if (!this.config.stickyEvents || type !== 'pdu-accepted' || changesNoState(data) || isOfThePast(data))
      return undefined;
    return data.includes('"m.room.member"') ? stream : undefined;
  }

  async run(fact: RecordedFact): Promise<boolean> {
    const members = currentMembersOf(this.#reader.accepted(fact));
    const userIds = new Set(members.map(({ change }) => change.state_key as UserId));
    if (userIds.size === 0) return false;
    const { actor, correlation } = fact.metadata;
    return this.commands.execute(
      new ReconsiderStickyEvents(roomIdOfStream(fact.stream), userIds, { actor, correlation }),
    );
  }
}
