import type { Peers } from '#federation/peers/peers';
import type { ServerName } from '#kernel/ids';
import type { ControlMethod } from '#projections/control-server';

/** What the command line can ask of a running server about others. */
export function federationMethods(peers: Peers): Readonly<Record<string, ControlMethod>> {
  return {
    // A name that no server has is left alone by nobody.
    'federation.left-alone': ({ server }) => peers.findLeftAlone(server as ServerName) ?? null,
  };
}
