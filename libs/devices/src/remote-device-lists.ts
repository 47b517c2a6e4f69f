import { Inject, Injectable } from '@nestjs/common';
import { Aggregates, type Cause } from '#event-store/aggregates';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import { draftOf } from '#event-store/seal-facts';
import { CLOCK, type Clock } from '#kernel/clock';
import { type ServerName, serverNameOf, type UserId } from '#kernel/ids';
import type { CacheNumbers } from '#kernel/lru-cache';
import { VIEWS, type Views } from '#projections/views';
import { foldRemoteDeviceFact, type RemoteDevices } from './decide/remote-devices.js';
import { type RemoteDeviceFact, remoteDevicesStream } from './facts/remote-device-facts.js';
import { REMOTE_DEVICES } from './projections/remote-devices.projector.js';

const CAPACITY = 2_000;

/** The write side of what other servers told of their users' devices. */
@Injectable()
export class RemoteDeviceLists {
  readonly #streams: Aggregates<RemoteDevices | undefined>;

  constructor(
    @Inject(EVENT_STORE) private readonly store: EventStore,
    @Inject(CLOCK) clock: Clock,
    @Inject(VIEWS) private readonly views: Pick<Views, 'whenProcessed'>,
  ) {
    const fold = { initialState: undefined, evolve: foldRemoteDeviceFact };
    this.#streams = new Aggregates<RemoteDevices | undefined>({ store, clock, capacity: CAPACITY, ...fold });
  }

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#streams.numbers;
  }

  /** The list as the log has it; undefined where there is none. */
  async load(userId: UserId): Promise<RemoteDevices | undefined> {
    return (await this.#streams.load(remoteDevicesStream(userId))).state;
  }

  /** Appends what `decide` answers, and settles once the views show it. Answers whether it was anything. */
  async change(
    userId: UserId,
    decide: (list: RemoteDevices | undefined) => readonly RemoteDeviceFact[],
  ): Promise<boolean> {
    const stream = remoteDevicesStream(userId);
    const { facts, position, revision } = await this.#streams.execute(
      stream,
      (list) => decide(list).map(draftOf),
      byServer(serverNameOf(userId)),
    );
    if (facts.length === 0) return false;
    await this.views.whenProcessed(position, [REMOTE_DEVICES.name]);
    if (facts[0]?.type === 'remote-devices-listed') {
      // Nobody waits for it: what is not let go now goes with the next list.
      void this.store.truncate(stream, revision as number).catch(() => {});
    }
    return true;
  }
}

/** The server that told it. */
function byServer(server: ServerName): Cause {
  return { actor: server };
}
