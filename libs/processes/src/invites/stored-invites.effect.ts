import { Injectable } from '@nestjs/common';
import type { RecordedFact } from '#event-store/event-store';
import { DeliverInvites } from '#identity/invitations/deliver-invites';
import { nameOfAssociation, type IdentityFact } from '#identity/facts/identity-facts';
import { nameOfStoredInvites, type StoredInviteFact } from '#identity/facts/stored-invite-facts';
import type { Effect } from '#projections/effects/effect';

const BOUND: ReadonlySet<string> = new Set<IdentityFact['type']>(['association-made', 'association-learnt']);
const STORED: StoredInviteFact['type'] = 'invite-stored';

/**
 * Invitations by address are those of whoever has the address, once that is known, whichever of the two came first: their homeserver is told. Where that is away
 * `DeliverInvites` tells it later.
 */
@Injectable()
export class TellStoredInvites implements Effect {
  readonly name = 'stored-invites';

  constructor(private readonly invites: DeliverInvites) {}

  keyOf({ type, stream }: RecordedFact): string | undefined {
    if (BOUND.has(type)) return nameOfAssociation(stream);
    return type === STORED ? nameOfStoredInvites(stream) : undefined;
  }

  run(fact: RecordedFact): Promise<boolean> {
    return this.invites.deliver(this.keyOf(fact)!); // it has one
  }
}
