import { Inject } from '@nestjs/common';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { CONFIG, type Config } from '#config/config';
import { type DeviceId, type ServerName, serverNameOf, type UserId } from '#kernel/ids';
import type { Requester } from '#kernel/requester';
import { eachInTurns } from '#projections/each-in-turns';
import { VIEWS, type Views } from '#projections/views';
import { RoomMates } from './room-mates.js';
import type { KeyReader, UserKeys } from './user-keys.js';
import { RemoteKeys } from './remote-keys.js';
import { readLocalKeys } from './local-keys.js';
import { readCrossSigningKeys } from './seen-signatures.js';

/** Whose devices are asked for: those named, or all where none is. */
export type WantedDevices = ReadonlyMap<UserId, readonly DeviceId[]>;

/** What users have published, and the servers that could not be asked. */
export interface QueriedKeys {
  readonly users: ReadonlyMap<UserId, UserKeys>;
  readonly failures: ReadonlySet<ServerName>;
}

/**
 * The public keys of users and their devices: client-server API, "End-to-End Encryption", POST /keys/query. The name of a device is told
 * only to whom its owner shares a room with, the user-signing key only to its owner. Each user of this server is there, with no keys where
 * they have none or have no account. NOTSPEC: who has no account would be left out; clients of matrix-rust-sdk ask for whom they are not
 * told of again and again, as for somebody who was invited by a mistyped id.
 */
export class QueryKeys extends Query<QueriedKeys> {
  constructor(
    readonly requester: Requester,
    readonly wanted: WantedDevices,
    /** How long to wait for other servers, in milliseconds. */
    readonly timeoutMs?: number,
  ) {
    super();
  }
}

/** How many users are read at once. */
const AT_ONCE = 16;

@QueryHandler(QueryKeys)
export class QueryKeysHandler implements IQueryHandler<QueryKeys> {
  constructor(
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
    private readonly remote: RemoteKeys,
  ) {}

  async execute({ requester, wanted, timeoutMs }: QueryKeys): Promise<QueriedKeys> {
    const reader: KeyReader = {
      reader: requester.userId,
      ofReader: await readCrossSigningKeys(this.views, requester.userId),
      mates: new RoomMates(this.views, requester.userId),
    };
    const failures = new Set<ServerName>();
    const users = new Map<UserId, UserKeys>();
    const read = async (userId: UserId, deviceIds: readonly DeviceId[]): Promise<void> => {
      users.set(userId, await readLocalKeys(this.views, userId, deviceIds, reader));
    };
    const readRemote = async (userId: UserId, deviceIds: readonly DeviceId[]): Promise<void> => {
      const { keys, hasFailed } = await this.remote.read(userId, deviceIds, reader, timeoutMs);
      if (keys !== undefined) users.set(userId, keys);
      if (hasFailed) failures.add(serverNameOf(userId));
    };
    await eachInTurns([...wanted], AT_ONCE, ([userId, deviceIds]) => {
      const isOurs = serverNameOf(userId) === this.config.serverName;
      return (isOurs ? read : readRemote)(userId, deviceIds);
    });
    return { users, failures };
  }
}
