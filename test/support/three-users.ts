import { type Answer, type Client, Homeserver, type HomeserverOptions } from './homeserver.js';

/** A server with three users on it, who share no room yet. */
export interface ThreeUsers {
  readonly server: Homeserver;
  readonly alice: Client;
  readonly bob: Client;
  readonly carol: Client;
  /** A public room of Alice's with Bob in it. */
  publicRoom(options?: object): Promise<string>;
}

export async function startWithThreeUsers(options: HomeserverOptions): Promise<ThreeUsers> {
  const server = await Homeserver.start(options);
  const alice = await server.register('alice');
  const bob = await server.register('bob');
  const carol = await server.register('carol');
  const publicRoom = async (wanted: object = {}): Promise<string> => {
    const roomId = await alice.createRoom({ preset: 'public_chat', ...wanted });
    await bob.ok('POST', `/join/${encodeURIComponent(roomId)}`);
    return roomId;
  };
  return { server, alice, bob, carol, publicRoom };
}

/** A path of a room: its id, and what follows, percent-encoded. */
export const path = (roomId: string, ...parts: readonly string[]): string =>
  ['/rooms', ...[roomId, ...parts].map((part) => encodeURIComponent(part))].join('/').replace('//', '/');

/** How a request was refused. */
export const refusal = ({ status, body }: Answer): [number, string] => [status, body?.errcode];
