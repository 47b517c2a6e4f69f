import { Inject, Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { CLOCK, type Stopwatch } from '#kernel/clock';
import { type ServerName, serverNameOf, type UserId } from '#kernel/ids';
import type { CacheNumbers } from '#kernel/lru-cache';
import { Pauses } from '#kernel/pauses';
import { PeerUnavailable } from '#kernel/peer-errors';
import { RunsUnderWay } from '#kernel/runs-under-way';
import { Slots } from '#kernel/slots';
import { VIEWS, type Views } from '#projections/views';
import { READ_MODEL_STORE, type ReadModelStore } from '#read-models/read-model-store';
import { decideListed } from './decide/remote-devices.js';
import { DEVICE_PEERS, type DevicePeers } from './device-peers.js';
import type { RemoteDevicesListed } from './facts/remote-device-facts.js';
import { MISSED_LISTS } from './projections/remote-devices.projector.js';
import { parseRemoteDevices } from './receive/parse-remote-devices.js';
import { RemoteDeviceLists } from './remote-device-lists.js';

/** A server that does not answer is left alone. */
const PAUSE = { firstMs: 30_000, mostMs: 60 * 60_000, capacity: 10_000 } as const;
const SWEEP_MS = 30_000;
const TIMEOUT_MS = 10_000;
const AT_ONCE = 16;

/**
 * Asks other servers for the devices of their users anew where something was missed: at once, and where that fails again and again, for
 * ever, ever more rarely. A list that is old is one by which messages are encrypted for the wrong devices.
 */
@Injectable()
export class ResyncRemoteDevices implements OnModuleInit, OnModuleDestroy {
  readonly #underWay = new RunsUnderWay<UserId, boolean>();
  readonly #pauses: Pauses<ServerName>;
  readonly #slots = new Slots(AT_ONCE);
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly lists: RemoteDeviceLists,
    @Inject(DEVICE_PEERS) private readonly peers: Pick<DevicePeers, 'list'>,
    @Inject(VIEWS) private readonly views: Pick<Views, 'scan'>,
    @Inject(READ_MODEL_STORE) private readonly readModels: Pick<ReadModelStore, 'isWriter'>,
    @Inject(CLOCK) stopwatch: Stopwatch,
  ) {
    this.#pauses = new Pauses(stopwatch, PAUSE);
  }

  /** For metrics: which servers are left alone. */
  get numbers(): CacheNumbers {
    return this.#pauses.numbers;
  }

  onModuleInit(): void {
    const sweep = (): void => void this.sweep().catch(() => {}); // an outage is told where the log and the views are watched
    this.#timer = setInterval(sweep, SWEEP_MS).unref();
  }

  onModuleDestroy(): void {
    clearInterval(this.#timer);
  }

  /** Asks for all lists of which something was missed, of servers that are not left alone for now. One process does. */
  async sweep(): Promise<void> {
    if (!this.readModels.isWriter) return;
    for await (const rows of MISSED_LISTS.pages(this.views, {}, 100)) {
      await Promise.all(rows.map(({ key }) => this.resync(key[0])));
    }
  }

  /** Asks for the list of a user, once at a time, and keeps it. Answers whether it is here now. */
  resync(userId: UserId, timeoutMs = TIMEOUT_MS): Promise<boolean> {
    return this.#underWay.run(userId, () => this.#keep(userId, timeoutMs));
  }

  /** The list of a user whose changes nobody tells us, as it is now; undefined where their server does not answer. */
  async ask(userId: UserId, timeoutMs = TIMEOUT_MS): Promise<RemoteDevicesListed | undefined> {
    const server = serverNameOf(userId);
    if (!this.#pauses.isOver(server)) return undefined;
    try {
      const answer = await this.#slots.run(() => this.peers.list(userId, timeoutMs));
      const listed = parseRemoteDevices(userId, answer);
      if (listed === undefined) throw new PeerUnavailable('It answers what cannot be read');
      this.#pauses.end(server);
      return listed;
    } catch (error) {
      if (!(error instanceof PeerUnavailable)) throw error;
      this.#pauses.lengthen(server);
      return undefined;
    }
  }

  /** A server was heard from: it is asked again at once where something is needed. */
  hearFrom(server: ServerName): void {
    this.#pauses.end(server);
  }

  async #keep(userId: UserId, timeoutMs: number): Promise<boolean> {
    const { missed = 0 } = (await this.lists.load(userId)) ?? {};
    const listed = await this.ask(userId, timeoutMs);
    return listed !== undefined && (await this.lists.change(userId, (list) => decideListed(list, listed, missed)));
  }
}
