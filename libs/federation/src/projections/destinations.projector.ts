import type { ServerName } from '#kernel/ids';
import { asJson, Collection, owning } from '#projections/collection';
import type { Projector } from '#projections/projector';
import { behindAfter, type DestinationBehind, serverOfDestination } from '../facts/destination-facts.js';

/** The servers that are owed something. */
export const DESTINATIONS = new Collection<readonly [server: ServerName], DestinationBehind>('destinations', {
  key: ['server'],
  says: 'from where on it may not have got what it was to be sent, and when it is tried again',
  codec: asJson(),
});

/** Which servers have not got all that they were to be sent: whoever sends begins with these. */
export const destinationsProjector: Projector = {
  name: 'destinations',
  version: 1,
  ...owning(DESTINATIONS),
  handles: (type) => type === 'destination-behind' || type === 'destination-caught-up',
  project(fact, rows) {
    const key = [serverOfDestination(fact.stream)] as const;
    const behind = behindAfter(fact);
    if (behind === undefined) DESTINATIONS.delete(rows, key);
    else DESTINATIONS.put(rows, key, behind);
  },
};
