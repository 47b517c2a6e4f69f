import type { RoomId, ServerName } from '#kernel/ids';
import type { Views } from '#projections/views';
import { isServerIn } from '#rooms/reading/server-standing';
import { PUBLIC_ROOMS } from '../projections/directory.projector.js';
import { NETWORK_ROOMS } from '../projections/networks.projector.js';

/** The directory of a network that is bridged to this server, by what it is called here, or all there are. */
export type Network = { readonly id: string } | 'all';

/**
 * The rooms of this server's directory, of that of a network, or of all together, some hundreds at a time. Of those that were put into it, the ones that somebody here is in:
 * nobody else can be let in by this server, and what is known here of a room that all of ours have left is of the past.
 */
export async function* listedRooms(views: Views, ours: ServerName, network?: Network): AsyncGenerator<RoomId[], void> {
  const seen = network === 'all' ? new Set<RoomId>() : undefined;
  for await (const page of pagesOf(views, network)) {
    const rooms = page.filter((roomId) => seen?.has(roomId) !== true);
    for (const roomId of rooms) seen?.add(roomId);
    const isHere = await Promise.all(rooms.map((roomId) => isServerIn(views, roomId, ours)));
    yield rooms.filter((_, i) => isHere[i]);
  }
}

async function* pagesOf(views: Views, network: Network | undefined): AsyncGenerator<RoomId[], void> {
  if (typeof network !== 'object') {
    for await (const page of PUBLIC_ROOMS.pages(views, {})) yield page.map(({ key: [roomId] }) => roomId);
  }
  if (network === undefined) return;
  const prefix = network === 'all' ? ([] as const) : ([network.id] as const);
  for await (const page of NETWORK_ROOMS.pages(views, { prefix })) yield page.map(({ key: [, roomId] }) => roomId);
}
