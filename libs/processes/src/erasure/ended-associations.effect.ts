import { Inject, Injectable } from '@nestjs/common';
import { EVENT_STORE, type EventStore, type RecordedFact } from '#event-store/event-store';
import { ASSOCIATION_TAIL, ENDS_OF_IDENTIFIERS, readIdentityFact } from '#identity/facts/identity-facts';
import type { Effect } from '#projections/effects/effect';

/** Erases an identifier from the log of the identity server, and of where it was made known, once it is so no more. */
@Injectable()
export class EndedAssociations implements Effect {
  readonly name = 'ended-associations';
  readonly fromStart = true;

  constructor(@Inject(EVENT_STORE) private readonly store: EventStore) {}

  keyOf({ type, stream }: RecordedFact): string | undefined {
    return ENDS_OF_IDENTIFIERS.has(type) ? stream : undefined;
  }

  /** An association that ended has its own stream. What is erased already is left out, so this may end on the way. */
  async run(end: RecordedFact): Promise<boolean> {
    const { type, data } = readIdentityFact(end);
    const bindingId = type === 'binding-ended' ? data.binding_id : undefined;
    let isAny = false;
    for await (const fact of this.store.readStream(end.stream)) {
      if (fact.revision > end.revision) break;
      const said = readIdentityFact(fact).data;
      const isMeant = bindingId === undefined || ('binding_id' in said && said.binding_id === bindingId);
      if (!isMeant || !('of' in said) || said.of === null) continue;
      await this.store.erase(end.stream, fact.revision, ASSOCIATION_TAIL.left);
      isAny = true;
    }
    return isAny;
  }
}
