import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { CONFIG, type Config } from '#config/config';
import { type ServerName, serverNameOf } from '#kernel/ids';
import { type Position, START } from '#kernel/position';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import type { NamedPublicKey } from '../facts/device-key-facts.js';
import type { DeviceKey } from '../facts/device-streams.js';
import { KEY_COUNTS } from '../projections/device-keys.projector.js';
import { ClaimQueue } from './claim-queue.js';

/** A key of some algorithm, of a device. */
export interface WantedKey {
  readonly device: DeviceKey;
  readonly algorithm: string;
}

/** What was claimed, and the servers that could not be asked. */
export interface ClaimedKeys {
  readonly keys: readonly { readonly device: DeviceKey; readonly key: NamedPublicKey }[];
  readonly failures: ReadonlySet<ServerName>;
}

/** Claims one key of each device, for the requester alone: client-server API, "End-to-End Encryption", POST /keys/claim. */
export class ClaimKeys extends Command<ClaimedKeys> {
  constructor(
    readonly requester: Requester,
    readonly wanted: readonly WantedKey[],
  ) {
    super();
  }
}

@CommandHandler(ClaimKeys)
export class ClaimKeysHandler implements ICommandHandler<ClaimKeys> {
  constructor(
    private readonly queue: ClaimQueue,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
    @Inject(VIEWS) private readonly views: Pick<Views, 'whenProcessed'>,
  ) {}

  async execute({ requester, wanted }: ClaimKeys): Promise<ClaimedKeys> {
    const failures = new Set<ServerName>();
    const here: WantedKey[] = [];
    for (const one of wanted) {
      const server = serverNameOf(one.device[0]);
      if (server === this.config.serverName) here.push(one);
      else failures.add(server);
    }
    const given = await Promise.all(
      here.map(({ device, algorithm }) => this.queue.claim(device, { algorithm, by: requester.userId })),
    );
    const last = given.reduce<Position>((latest, { position }) => (position > latest ? position : latest), START);
    await this.views.whenProcessed(last, [KEY_COUNTS.name]);
    const keys = here.flatMap(({ device }, i) => {
      const key = given[i]?.key;
      return key === undefined ? [] : [{ device, key }];
    });
    return { keys, failures };
  }
}
