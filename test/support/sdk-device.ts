import 'fake-indexeddb/auto';
import { indexedDB } from 'fake-indexeddb';
import { randomUUID } from 'node:crypto';
import {
  type AuthDict,
  ClientEvent,
  createClient,
  EventType,
  IndexedDBStore,
  type MatrixClient,
  type MatrixError,
  Method,
  type MatrixEvent,
  Preset,
  type Room,
  SyncState,
} from 'matrix-js-sdk';
import {
  CryptoEvent,
  type CryptoApi,
  type CryptoCallbacks,
  type GeneratedSecretStorageKey,
  type VerificationRequest,
} from 'matrix-js-sdk/lib/crypto-api/index.js';
import type { Logger } from 'matrix-js-sdk/lib/logger.js';
import { vi } from 'vitest';
import { Client, type Spoken } from './homeserver.js';

const nothing = (): void => {};
export const QUIET: Logger = {
  trace: nothing,
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
  getChild: () => QUIET,
};

/** For the names of suites. */
export const NEEDS = 'matrix-js-sdk: where Node is 22 or later';

const passwordOf = (username: string): string => `secret of ${username}`;

/** A server of any make, as this needs it. */
interface Served extends Spoken {
  /** Where clients find it. */
  readonly base: string;
  register(username: string, password?: string): Promise<Client>;
}

/** A device of a user, with what matrix-js-sdk keeps in IndexedDB: it can be closed and opened again, as a browser's tab. */
export class SdkDevice {
  #client: MatrixClient | undefined;
  #store: IndexedDBStore | undefined;
  /** The recovery key, once the user has entered it on this device or made it here. */
  recoveryKey: GeneratedSecretStorageKey | undefined;
  /** The same device without the library, for what is not about it. */
  readonly http: Client;
  /** The devices that messages went to, in the order of the requests: what the server was given to deliver. */
  readonly sentTo: { readonly type: string; readonly userId: string; readonly deviceId: string }[] = [];

  private constructor(
    private readonly server: Served,
    readonly userId: string,
    readonly deviceId: string,
    private readonly accessToken: string,
    private readonly database: string,
  ) {
    this.http = new Client(server, userId, accessToken, deviceId);
  }

  /** Logs a new device of a user in, who has signed up, and starts it. */
  static async logIn(server: Served, username: string, name: string): Promise<SdkDevice> {
    const anonymous = createClient({ baseUrl: server.base, logger: QUIET });
    const { user_id, device_id, access_token } = await anonymous.loginRequest({
      type: 'm.login.password',
      identifier: { type: 'm.id.user', user: username },
      password: passwordOf(username),
      initial_device_display_name: name,
    });
    const device = new SdkDevice(server, user_id, device_id, access_token, randomUUID());
    await device.open();
    return device;
  }

  /** Registers a user and logs as many devices in as there are names. */
  static async signUp<Names extends readonly string[]>(
    server: Served,
    username: string,
    ...names: Names
  ): Promise<{ [Index in keyof Names]: SdkDevice }> {
    await server.register(username, passwordOf(username));
    const devices = [];
    for (const name of names) devices.push(await SdkDevice.logIn(server, username, name));
    return devices as { [Index in keyof Names]: SdkDevice };
  }

  get client(): MatrixClient {
    if (this.#client === undefined) throw new Error(`${this.userId}'s ${this.deviceId} is closed`);
    return this.#client;
  }

  get crypto(): CryptoApi {
    const crypto = this.client.getCrypto();
    if (crypto === undefined) throw new Error('there is no crypto');
    return crypto;
  }

  /**
   * Starts with what was kept, and waits for the first answer of /sync and until its keys are on the server. `before` is called
   * before anything is asked of the server.
   */
  async open(before?: () => void): Promise<void> {
    this.#store = new IndexedDBStore({ indexedDB, dbName: `sync-${this.database}` });
    this.#client = createClient({
      baseUrl: this.server.base,
      logger: QUIET,
      userId: this.userId,
      deviceId: this.deviceId,
      accessToken: this.accessToken,
      store: this.#store,
      cryptoCallbacks: this.#callbacks(),
      fetchFn: (input, init) => this.#fetch(input as URL, init),
    });
    await this.#store.startup();
    await this.#client.initRustCrypto({ cryptoDatabasePrefix: `crypto-${this.database}` });
    before?.();
    const synced = new Promise<void>((resolve) => {
      // PREPARED comes of what was kept, too; SYNCING of the server alone.
      this.#client?.on(ClientEvent.Sync, (state) => state === SyncState.Syncing && resolve());
    });
    await this.#client.startClient({ initialSyncLimit: 20, pollTimeout: 10_000, lazyLoadMembers: true });
    await synced;
    // It publishes its keys in its own time, and nobody can sign before.
    await this.see('its own keys', async () => {
      const { device_keys } = await this.client.downloadKeysForUsers([this.userId]);
      return this.deviceId in (device_keys[this.userId] ?? {});
    });
  }

  /** Ends the client. With `kept`, what it has of rooms by now is what it begins with the next time. */
  async close({ kept = true } = {}): Promise<void> {
    if (kept) await this.#store?.save(true);
    this.#client?.stopClient();
    this.#client = undefined;
  }

  room(roomId: string): Promise<Room> {
    return this.see(`the room ${roomId}`, () => this.client.getRoom(roomId));
  }

  /** The live timeline of the room, once an event with that body is in it, readable. */
  async hears(roomId: string, body: string): Promise<MatrixEvent> {
    const events = (): MatrixEvent[] => this.client.getRoom(roomId)?.getLiveTimeline().getEvents() ?? [];
    return this.see(`"${body}"`, () => events().find((event) => event.getContent()['body'] === body));
  }

  /** Waits until there is something to find. */
  async see<T>(
    what: string,
    find: () => T | null | undefined | false | Promise<T | null | undefined | false>,
  ): Promise<T> {
    return vi.waitFor(
      async () => {
        const found = await find();
        if (found === null || found === undefined || found === false)
          throw new Error(`${this.userId}'s ${this.deviceId} does not see ${what}`);
        return found;
      },
      { timeout: 60_000, interval: 20 },
    );
  }

  /** An encrypted room with one other, whose given device joins it; of the server's own version unless told otherwise. */
  async encryptedRoomWith(other: SdkDevice, version?: string): Promise<string> {
    const { room_id: roomId } = await this.client.createRoom({
      ...(version === undefined ? {} : { room_version: version }),
      preset: Preset.TrustedPrivateChat,
      invite: [other.userId],
      is_direct: true,
      initial_state: [
        { type: EventType.RoomEncryption, state_key: '', content: { algorithm: 'm.megolm.v1.aes-sha2' } },
      ],
    });
    await other.room(roomId);
    await other.client.joinRoom(roomId);
    return roomId;
  }

  /** Waits until this device knows that two are in the room, so that what it sends is for both. */
  async seesTwoIn(roomId: string): Promise<void> {
    await this.see('two in the room', () => this.client.getRoom(roomId)?.getJoinedMemberCount() === 2);
  }

  /** The next request for a verification that comes to this device. */
  nextRequest(): Promise<VerificationRequest> {
    return new Promise((resolve) => this.client.once(CryptoEvent.VerificationRequestReceived, resolve));
  }

  async trusts({ userId, deviceId }: SdkDevice): Promise<boolean> {
    const status = await this.crypto.getDeviceVerificationStatus(userId, deviceId);
    return status?.crossSigningVerified ?? false;
  }

  async knows({ userId, deviceId }: SdkDevice): Promise<boolean> {
    return (await this.crypto.getUserDeviceInfo([userId])).get(userId)?.has(deviceId) ?? false;
  }

  /** Waits until the backup on the server has all keys that this device has. */
  async backsUp(): Promise<void> {
    await this.see('all keys in the backup', async () => {
      const { length } = await this.crypto.exportRoomKeys();
      // Not `getKeyBackupInfo`: it remembers what it was told first.
      const info = await this.client.http.authedRequest<{ count: number }>(Method.Get, '/room_keys/version');
      return info.count === length;
    });
  }

  /** Removes another device of the user. */
  async remove(other: SdkDevice): Promise<void> {
    await this.client.deleteDevice(other.deviceId).catch(async (error: MatrixError) => {
      await this.client.deleteDevice(other.deviceId, this.#byPassword(error));
    });
  }

  /**
   * Cross-signing, secret storage and a backup of room keys, all new; answers the recovery key that the user writes down. A server may
   * not ask for the password meanwhile, unless that is allowed.
   */
  async setUpRecovery({ mayAskForPassword = false } = {}): Promise<GeneratedSecretStorageKey> {
    await this.crypto.bootstrapCrossSigning({
      authUploadDeviceSigningKeys: async (makeRequest) => {
        await makeRequest(null).catch(async (error: MatrixError) => {
          if (!mayAskForPassword) throw error;
          await makeRequest(this.#byPassword(error));
        });
      },
    });
    const key = await this.crypto.createRecoveryKeyFromPassphrase();
    this.recoveryKey = key;
    await this.crypto.bootstrapSecretStorage({ createSecretStorageKey: async () => key, setupNewKeyBackup: true });
    return key;
  }

  /** What a server that asks for the password is answered. */
  #byPassword({ data }: MatrixError): AuthDict {
    return {
      type: 'm.login.password',
      identifier: { type: 'm.id.user', user: this.userId },
      password: passwordOf(this.client.getUserIdLocalpart() ?? ''),
      session: data['session'] as string,
    };
  }

  #callbacks(): CryptoCallbacks {
    return {
      getSecretStorageKey: async ({ keys }) => {
        const id = Object.keys(keys)[0];
        return id === undefined || this.recoveryKey === undefined ? null : [id, this.recoveryKey.privateKey];
      },
    };
  }

  async #fetch(input: URL, init?: RequestInit): Promise<Response> {
    const type = /\/sendToDevice\/([^/]+)\//.exec(String(input))?.[1];
    if (type !== undefined && typeof init?.body === 'string') {
      const { messages } = JSON.parse(init.body) as { messages: Record<string, Record<string, unknown>> };
      for (const [userId, devices] of Object.entries(messages))
        for (const deviceId of Object.keys(devices)) this.sentTo.push({ type, userId, deviceId });
    }
    return fetch(input, init);
  }
}
