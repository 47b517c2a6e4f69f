import { Injectable, Logger } from '@nestjs/common';
import type { RecordedFact } from '#event-store/event-store';
import type { Listener } from '#projections/listener';
import { roomIdOfStream } from './facts/room-facts.js';
import { RoomSnapshots } from './worker/room-snapshots.js';

/** Lets go of what was kept of a room to warm it up, once it is purged. */
@Injectable()
export class ForgottenSnapshots implements Listener {
  readonly name = 'forgotten-snapshots';
  readonly reads = [];
  readonly hearsPast = true;
  readonly #log = new Logger('rooms');

  constructor(private readonly snapshots: RoomSnapshots) {}

  hear(facts: readonly RecordedFact[]): void {
    for (const { type, stream } of facts) {
      if (type !== 'room-purged') continue;
      this.snapshots.forget(roomIdOfStream(stream)).catch((error: unknown) => {
        this.#log.warn({ err: error }, 'the snapshot of a room that is purged was not removed');
      });
    }
  }
}
