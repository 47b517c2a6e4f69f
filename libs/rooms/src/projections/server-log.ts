import { type Answer, forEachInOrder, whenThere } from '#kernel/answer';
import { isUserId, type RoomId, type ServerName, serverNameOf } from '#kernel/ids';
import type { Position } from '#kernel/position';
import { asJson, Collection } from '#projections/collection';
import type { OwnRows } from '#projections/projector';

/** From here on so many users of a server are joined to a room, and so many invited. Only where that changes. */
export interface ServerLogRow {
  readonly joined: number;
  readonly invited: number;
  /** Where the last of its users who were joined up to here left: only where none is. */
  readonly left?: Position;
}

export const SERVER_LOG = new Collection<
  readonly [roomId: RoomId, server: ServerName, position: Position],
  ServerLogRow
>('server-log', {
  key: ['room', 'server', 'position'],
  says: 'how many users of the server, ours too, are joined and invited from there on, end of their last stay',
  codec: asJson(),
});

/** What one fact changes in the members of each server. */
export class ServerChanges {
  readonly #changes = new Map<ServerName, { joined: number; invited: number }>();

  /** A member became something else. What is no user is of no server. */
  note(userId: string, before: string | undefined, after: string): void {
    if (!isUserId(userId)) return;
    const joined = Number(after === 'join') - Number(before === 'join');
    const invited = Number(after === 'invite') - Number(before === 'invite');
    if (joined === 0 && invited === 0) return;
    const server = serverNameOf(userId);
    const change = this.#changes.get(server) ?? { joined: 0, invited: 0 };
    this.#changes.set(server, { joined: change.joined + joined, invited: change.invited + invited });
  }

  /**
   * Writes the rows of a fact. What was so before comes from the rows before it alone, for those of now may be this fact's or a later
   * one's when facts are applied again.
   */
  write(roomId: RoomId, position: Position, rows: OwnRows): Answer<void> {
    return forEachInOrder([...this.#changes], ([server, change]) => {
      const before = [roomId, server, position] as const;
      const found = SERVER_LOG.scan(rows, { prefix: [roomId, server], before, reverse: true, limit: 1 });
      return whenThere(found, ([last]) => {
        const { joined = 0, invited = 0, left } = last?.value ?? {};
        const now = { joined: joined + change.joined, invited: invited + change.invited };
        const end = now.joined > 0 ? undefined : joined > 0 ? position : left;
        SERVER_LOG.put(rows, before, { ...now, left: end });
      });
    });
  }
}
