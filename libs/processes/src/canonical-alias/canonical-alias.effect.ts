import { Inject, Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { AliasDeleted } from '#directory/facts/alias-facts';
import type { RecordedFact } from '#event-store/event-store';
import type { Effect } from '#projections/effects/effect';
import { ALIAS_BOOK, type AliasBook } from '#rooms/alias-book';
import { DropCanonicalAlias } from '#rooms/commands/drop-canonical-alias';
import { actForUser } from '../act-for-user.js';

/** Takes a deleted alias out of its room's canonical alias: client-server API, `DELETE /directory/room/{roomAlias}`. */
@Injectable()
export class CanonicalAlias implements Effect {
  readonly name = 'canonical-alias';

  constructor(
    private readonly commands: CommandBus,
    @Inject(ALIAS_BOOK) private readonly aliases: AliasBook,
  ) {}

  keyOf({ type, stream }: RecordedFact): string | undefined {
    return type === 'alias-deleted' ? stream : undefined;
  }

  async run(fact: RecordedFact): Promise<boolean> {
    const { alias, room_id: roomId, by } = JSON.parse(fact.data) as AliasDeleted;
    // It has been given back to the room since.
    if ((await this.aliases.resolve(alias)) === roomId) return false;
    await this.commands.execute(new DropCanonicalAlias(actForUser(by, fact), roomId, alias));
    return true;
  }
}
