import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { CONFIG, type Config } from '#config/config';
import { type ServerName, serverNameOf } from '#kernel/ids';
import { PeerUnavailable } from '#kernel/peer-errors';
import type { Requester } from '#kernel/requester';
import { Slots } from '#kernel/slots';
import type { GivenKey, WantedKey } from '../decide/decide-claims.js';
import { DEVICE_PEERS, type DevicePeers } from '../device-peers.js';
import { parseClaimed } from '../receive/parse-claimed.js';
import { ClaimHere } from './claim-here.js';

/** What was claimed, and the servers that could not be asked. */
export interface ClaimedKeys {
  readonly keys: readonly GivenKey[];
  readonly failures: ReadonlySet<ServerName>;
}

/** Claims one key of each device, for the requester alone: client-server API, "End-to-End Encryption", POST /keys/claim. */
export class ClaimKeys extends Command<ClaimedKeys> {
  constructor(
    readonly requester: Requester,
    readonly wanted: readonly WantedKey[],
    /** How long to wait for other servers, in milliseconds. */
    readonly timeoutMs: number = TIMEOUT_MS,
  ) {
    super();
  }
}

/** The default of the specification. */
const TIMEOUT_MS = 10_000;
/** How many servers are asked at once. */
const AT_ONCE = 16;

@CommandHandler(ClaimKeys)
export class ClaimKeysHandler implements ICommandHandler<ClaimKeys> {
  constructor(
    private readonly here: ClaimHere,
    @Inject(DEVICE_PEERS) private readonly peers: Pick<DevicePeers, 'claim'>,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
  ) {}

  async execute({ requester, wanted, timeoutMs }: ClaimKeys): Promise<ClaimedKeys> {
    const byServer = groupBy(wanted, ({ device }) => serverNameOf(device[0]));
    const here = byServer.get(this.config.serverName) ?? [];
    byServer.delete(this.config.serverName);
    const failures = new Set<ServerName>();
    const slots = new Slots(AT_ONCE);
    const given = await Promise.all([
      this.here.claim(here, requester.userId),
      ...[...byServer].map(([server, own]) =>
        slots.run(async () => {
          const keys = await this.#claimAt(server, own, timeoutMs);
          if (keys === undefined) failures.add(server);
          return keys ?? [];
        }),
      ),
    ]);
    return { keys: given.flat(), failures };
  }

  /** What another server gives of its users' devices; undefined where it does not answer. */
  async #claimAt(
    server: ServerName,
    wanted: readonly WantedKey[],
    timeoutMs: number,
  ): Promise<readonly GivenKey[] | undefined> {
    const algorithms = [...groupBy(wanted, ({ device }) => device[0])].map(
      ([userId, own]) => [userId, new Map(own.map(({ device, algorithm }) => [device[1], algorithm]))] as const,
    );
    try {
      return parseClaimed(wanted, await this.peers.claim(server, new Map(algorithms), timeoutMs));
    } catch (error) {
      if (error instanceof PeerUnavailable) return undefined;
      throw error;
    }
  }
}

function groupBy<K>(wanted: readonly WantedKey[], keyOf: (one: WantedKey) => K): Map<K, WantedKey[]> {
  const groups = new Map<K, WantedKey[]>();
  for (const one of wanted) {
    const group = groups.get(keyOf(one)) ?? [];
    groups.set(keyOf(one), group);
    group.push(one);
  }
  return groups;
}
