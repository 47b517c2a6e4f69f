import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { administrateStopped } from '#accounts/administration/stopped-server';
import type { EventStore } from '#event-store/event-store';
import { KeyedNames } from '#event-store/keyed-names';
import { openLmdbEventStore } from '#event-store/lmdb/lmdb-event-store';
import { nameLog } from '#event-store/log-identity';
import { systemClock } from '#kernel/clock';
import { encodeBase64 } from '#protocol/signing/base64';
import { encodeSigningKey } from '#protocol/signing/signing-key';
import { BOB, LocalRoom, TEST_AUTHOR } from './local-room.js';

/** A server's data on disk, with nobody running it. */
export class DataFolder {
  readonly path = mkdtempSync(join(tmpdir(), 'annals-cli-'));

  /** Makes a signing key, two users and a room in which something happened. */
  async fill(): Promise<LocalRoom> {
    mkdirSync(join(this.path, 'keys'), { mode: 0o700 });
    writeFileSync(join(this.path, 'keys/signing.key'), encodeSigningKey(TEST_AUTHOR.signingKey), { mode: 0o600 });
    return this.write(async (store) => {
      const { serverName, signingKey } = TEST_AUTHOR;
      await nameLog(store, systemClock, serverName, {
        key_id: signingKey.keyId,
        public_key: encodeBase64(signingKey.publicKey),
      });
      const users = administrateStopped(store, TEST_AUTHOR, new KeyedNames(signingKey.exportSeed()));
      await users.create('alice', 'a password', true);
      await users.create('bob', 'another password', false);
      const room = await LocalRoom.begin(store);
      await room.setState('m.room.join_rules', { join_rule: 'public' });
      await room.setState('m.room.topic', { topic: 'first' });
      await room.setMembership(BOB, 'join');
      for (let i = 0; i < 20; i++) await room.say(`message ${i}`, i % 2 === 0 ? undefined : BOB);
      await room.setState('m.room.topic', { topic: 'second' });
      return room;
    });
  }

  /** Opens the log to write, and closes it again. */
  async write<T>(work: (store: EventStore) => Promise<T>): Promise<T> {
    const store = await openLmdbEventStore(join(this.path, 'log'));
    try {
      return await work(store);
    } finally {
      await store.close();
    }
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
