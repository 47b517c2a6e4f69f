import { AskForKeys } from '#federation/keys/ask-for-keys';
import { KeyRing } from '#federation/keys/key-ring';
import { OwnKeys } from '#federation/keys/own-keys';
import { ServerKeyLog } from '#federation/keys/server-key-log';
import { serverKeysProjector } from '#federation/projections/server-keys.projector';
import { createLogger } from '#observability/logger';
import { TEST_AUTHOR } from './local-room.js';
import { MemoryEventStore } from './memory-event-store.js';
import { MemoryReadModels } from './memory-read-models.js';
import { applyFacts } from './project.js';
import type { TestPeers } from './test-peers.js';

/** The keys of other servers as one server of a test knows them, over a log in memory, with a clock that the test moves. */
export class TestKeys {
  readonly views = new MemoryReadModels();
  readonly clock = { time: 1_800_000_000_000, now: () => this.clock.time, elapsed: () => this.clock.time };
  readonly own: OwnKeys;
  readonly keyLog: ServerKeyLog;
  readonly ring: KeyRing;

  private constructor(
    readonly peers: TestPeers,
    readonly log: MemoryEventStore,
    asker: (clock: { now(): number }) => AskForKeys,
  ) {
    this.own = new OwnKeys(peers.config, TEST_AUTHOR.signingKey, this.clock, log);
    this.keyLog = new ServerKeyLog(log, this.clock);
    this.ring = new KeyRing(this.own, this.keyLog, asker(this.clock), this.views, this.clock);
  }

  /** Over a log of its own, or, as after a restart, over one that is there, with the views that it makes. */
  static async start(peers: TestPeers, log = new MemoryEventStore()): Promise<TestKeys> {
    const logger = await createLogger('silent');
    const keys = new TestKeys(peers, log, (clock) => new AskForKeys(peers.peers, peers.config, clock, logger));
    await keys.own.onModuleInit();
    await keys.follow();
    return keys;
  }

  /** The views take what the log has. */
  async follow(): Promise<void> {
    const facts = this.log.facts.filter(({ type }) => serverKeysProjector.handles(type));
    await applyFacts(serverKeysProjector, facts, this.views);
  }
}
