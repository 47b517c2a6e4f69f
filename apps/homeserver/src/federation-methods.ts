import type { Peers } from '#federation/peers/peers';
import type { DestinationNotes } from '#federation/sending/destination-notes';
import type { Destinations, DestinationReport } from '#federation/sending/destinations';
import type { ServerName } from '#kernel/ids';
import type { ControlMethod } from '#projections/control-server';

/** Who knows of other servers. */
export interface OtherServers {
  readonly peers: Pick<Peers, 'findLeftAlone'>;
  readonly destinations: Pick<Destinations, 'describe'>;
  readonly notes: Pick<DestinationNotes, 'find'>;
}

/** What the command line can ask of a running server about others. */
export function federationMethods({
  peers,
  destinations,
  notes,
}: OtherServers): Readonly<Record<string, ControlMethod>> {
  return {
    // A name that no server has is left alone by nobody, and is owed nothing.
    'federation.left-alone': ({ server }) => peers.findLeftAlone(server as ServerName) ?? null,
    'federation.destination': async ({ server }): Promise<DestinationReport> => ({
      ...destinations.describe(server as ServerName),
      behind: (await notes.find(server as ServerName)) ?? null,
    }),
  };
}
