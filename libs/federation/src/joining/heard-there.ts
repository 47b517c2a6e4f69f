import { setTimeout as delay } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import type { RoomId, ServerName } from '#kernel/ids';
import { PeerRefused, PeerUnavailable } from '#kernel/peer-errors';
import { ReceivedEvents } from '#rooms/queries/received-events';
import { pathOf } from '../peers/path-of.js';
import { Peers } from '../peers/peers.js';

/** NOTSPEC: how long it is waited before each next look, some three seconds in all. */
const PAUSES_MS: readonly number[] = [50, 100, 200, 400, 800, 1_600];
const TIMEOUT_MS = 5_000;

/** Whether other servers have what users here did last in rooms that all of them have left. */
@Injectable()
export class HeardThere {
  constructor(
    private readonly peers: Peers,
    private readonly received: ReceivedEvents,
  ) {}

  /**
   * Waits until a server has that, for some seconds. Whoever joins such a room by it before is let into the room as it was: what was done
   * since, somebody's leave or ban, is undone here with the join that brings the room anew, and others find both beside each other. Never throws
   * for what that server answers.
   */
  async until(server: ServerName, roomId: RoomId): Promise<void> {
    const pauses = PAUSES_MS.values();
    for (const eventId of await this.received.listOwnEnds(roomId)) {
      const path = pathOf('/_matrix/federation/v1/event/:eventId', { eventId });
      while (!(await this.#has(server, path))) {
        const pause = pauses.next();
        if (pause.done === true) return;
        await delay(pause.value, undefined, { ref: false });
      }
    }
  }

  async #has(server: ServerName, path: string): Promise<boolean> {
    try {
      await this.peers.askBytes(server, { method: 'GET', path, timeoutMs: TIMEOUT_MS, insists: true });
      return true;
    } catch (error) {
      if (error instanceof PeerRefused) return error.status !== 404;
      // It will be told so where it is asked to let the user in.
      if (error instanceof PeerUnavailable) return true;
      throw error;
    }
  }
}
