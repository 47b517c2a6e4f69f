import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Config, loadConfig } from '#config/config';
import { ConfigError } from '#config/config-error';
import { openLmdbEventStore } from '#event-store/lmdb/lmdb-event-store';
import { factId } from '#event-store/fact-id';
import { acceptKey } from '#event-store/log-identity';
import { sealFacts } from '#event-store/seal-facts';
import { systemClock } from '#kernel/clock';
import { encodeBase64 } from '#protocol/signing/base64';
import { acceptSigningKey, openOwnLog, type OwnLog, rotateSigningKey } from './open-own-log.js';
import { draftSigningKey } from './signing-key-file.js';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'annals-own-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

function configOf(name = 'a.example', env: Record<string, string> = {}): Config {
  return loadConfig({ ANNALS_DATA_DIR: directory, ANNALS_SERVER_NAME: name, ...env });
}

/** Starts and stops; answers whose log it was. */
async function open(config = configOf()) {
  const { store, identity, signingKey, names } = await openOwnLog(config, systemClock);
  await store.close();
  return { identity, signingKey, names };
}

async function refusal(config = configOf()): Promise<string> {
  const error = await open(config).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(ConfigError);
  return (error as ConfigError).message;
}

describe('the log of a server', () => {
  it('is named by the first start, and the same at every later one', async () => {
    const first = await open();
    expect(first.identity).toMatchObject({ serverName: 'a.example', logId: expect.stringMatching(/^[0-9a-f-]{36}$/) });
    expect(first.identity.keys).toMatchObject([{ key_id: first.signingKey.keyId }]);
    const second = await open();
    expect(second.identity).toEqual(first.identity);
    expect(second.signingKey.publicKey).toEqual(first.signingKey.publicKey);
  });

  it('refuses another name, and says both', async () => {
    const before = await open();
    const message = await refusal(configOf('b.example'));
    expect(message).toContain('ANNALS_SERVER_NAME is b.example');
    expect(message).toContain('that of a.example');
    expect((await open()).identity).toEqual(before.identity);
  });

  it('has an id of its own, whatever the server is called', async () => {
    const first = await open();
    renameSync(join(directory, 'log'), join(directory, 'old-log'));
    renameSync(join(directory, 'keys'), join(directory, 'old-keys'));
    expect((await open()).identity.logId).not.toBe(first.identity.logId);
  });

  it('that holds facts but does not say whose it is, is refused', async () => {
    const store = await openLmdbEventStore(join(directory, 'log'));
    const fact = { id: factId('test'), type: 'test', data: '{}', at: 1, actor: 'server' };
    await store.append('user-@a:a.example', 'no-stream', sealFacts(undefined, [fact]));
    await store.close();
    expect(await refusal()).toContain('does not say whose it is');
  });
});

describe('an empty log', () => {
  it('beside signing keys is a lost one, whether it is there or not', async () => {
    await open();
    rmSync(join(directory, 'log'), { recursive: true });
    expect(await refusal()).toMatch(/The log in .*log is empty, but there are signing keys in .*keys: restore/);
    expect(existsSync(join(directory, 'log'))).toBe(false);
    await (await openLmdbEventStore(join(directory, 'log'))).close();
    expect(await refusal()).toContain('restore the log from a backup');
  });

  it('beside views is a lost one', async () => {
    mkdirSync(join(directory, 'views'));
    writeFileSync(join(directory, 'views/data.mdb'), 'rows');
    expect(await refusal()).toMatch(/is empty, but there are views in .*views/);
    expect(existsSync(join(directory, 'keys'))).toBe(false);
  });

  it('beside content of media is a lost one, for a new one would have all of it removed', async () => {
    const content = join(directory, 'media/content');
    mkdirSync(join(content, 'ab'), { recursive: true });
    expect(await refusal()).toMatch(/is empty, but there is content of media in .*media.content/);
    await expect(acceptSigningKey(configOf(), systemClock)).rejects.toThrow('there is content of media');
    rmSync(join(content, 'ab'), { recursive: true });
    await open();
  });

  it('begins anew with a key that is accepted, but not beside views', async () => {
    const before = await open();
    rmSync(join(directory, 'log'), { recursive: true });
    mkdirSync(join(directory, 'views'));
    writeFileSync(join(directory, 'views/data.mdb'), 'rows');
    await expect(acceptSigningKey(configOf(), systemClock)).rejects.toThrow('there are views');
    rmSync(join(directory, 'views'), { recursive: true });
    expect(await acceptSigningKey(configOf(), systemClock)).toMatchObject({ isNew: true });
    const after = await open();
    const named = ({ identity: { keys } }: Pick<OwnLog, 'identity'>) =>
      keys.map(({ key_id: id, public_key: key }) => [id, key]);
    expect(named(after)).toEqual(named(before));
    expect(after.identity.logId).not.toBe(before.identity.logId);
  });
});

describe('the signing key of a log', () => {
  it('that is lost ends the start, and no other is made', async () => {
    const { signingKey } = await open();
    rmSync(join(directory, 'keys'), { recursive: true });
    const message = await refusal();
    expect(message).toContain(`signing.key is missing, and a.example has signed with ${signingKey.keyId}`);
    expect(message).toContain('restore keys/ from a backup');
    expect(readdirSync(join(directory, 'keys'))).toEqual([]);
  });

  it('that is another one ends the start, until an operator accepts it; the old one stays good', async () => {
    const first = await open();
    const path = join(directory, 'keys/signing.key');
    const old = readFileSync(path);
    rmSync(path);
    const { key, isNew } = await acceptSigningKey(configOf(), systemClock);
    expect(isNew).toBe(true);
    const second = await open();
    expect(second.signingKey.keyId).toBe(key.key_id);
    expect(second.identity.keys).toEqual([...first.identity.keys, { ...key, since: expect.any(Number) as number }]);
    expect(await acceptSigningKey(configOf(), systemClock)).toEqual({ key, isNew: false, isForNames: false });

    // That one is gone by this, and the log had its names by it.
    writeFileSync(path, old);
    expect(await refusal()).toContain('is missing, by which the log of a.example names mail addresses');
    await acceptSigningKey(configOf(), systemClock);
    expect((await open()).signingKey.keyId).toBe(first.signingKey.keyId);

    writeFileSync(path, 'ed25519 other QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE\n');
    expect(await refusal()).toContain('holds ed25519:other, but the log of a.example knows');
  });

  it('gives way to a new one; the old one stays in keys/, and the log says when each was in use', async () => {
    const first = await open();
    const { key, before } = await rotateSigningKey(configOf(), systemClock);
    expect(before.key_id).toBe(first.signingKey.keyId);
    const names = readdirSync(join(directory, 'keys'));
    expect(names.toSorted()).toEqual([`old-${before.key_id.replace('ed25519:', '')}.key`, 'signing.key']);
    const second = await open();
    expect(second.signingKey.keyId).toBe(key.key_id);
    expect(second.identity.keys.map(({ key_id: id }) => id)).toEqual([before.key_id, key.key_id]);
    expect(second.identity.keys[1]!.since).toBeGreaterThan(second.identity.keys[0]!.since);
  });

  it('is the new one where a change of keys was killed once the log said so, and the old one where it did not', async () => {
    const first = await open();
    const keys = join(directory, 'keys');
    draftSigningKey(keys);
    expect((await open()).signingKey.keyId).toBe(first.signingKey.keyId);
    expect(readdirSync(keys)).toEqual(['signing.key']);

    const drafted = draftSigningKey(keys);
    const store = await openLmdbEventStore(join(directory, 'log'));
    await acceptKey(store, systemClock, { key_id: drafted.keyId, public_key: encodeBase64(drafted.publicKey) });
    await store.close();
    expect((await open()).signingKey.keyId).toBe(drafted.keyId);
    expect(readdirSync(keys)).toHaveLength(2);
  });

  it('is noted as in use again where it was put back', async () => {
    const first = await open();
    const path = join(directory, 'keys/signing.key');
    const old = readFileSync(path);
    const { key } = await rotateSigningKey(configOf(), systemClock);
    writeFileSync(path, old);
    const ids = (await open()).identity.keys.map(({ key_id: id }) => id);
    expect(ids).toEqual([first.signingKey.keyId, key.key_id, first.signingKey.keyId]);
  });

  it('that was the first is the one by which the log has its names, whichever follow, and no start goes on without it', async () => {
    const nameOf = async (): Promise<string> => (await open()).names.nameOf('number', '4915112345678');
    const before = await nameOf();
    for (let i = 0; i < 2; i++) await rotateSigningKey(configOf(), systemClock);
    expect(await nameOf()).toBe(before);
    const first = `old-${(await open()).identity.keys[0]!.key_id.replace('ed25519:', '')}.key`;
    const path = join(directory, 'keys', first);
    const kept = readFileSync(path);
    rmSync(path);
    expect(await refusal()).toContain(`${path} is missing`);
    writeFileSync(path, kept);
    expect(await nameOf()).toBe(before);
    // Accepted while it is there, another key changes nothing of that.
    await acceptSigningKey(configOf(), systemClock);
    expect(await nameOf()).toBe(before);
    expect((await open()).names.areAnew).toBe(false);
    rmSync(path);
    await acceptSigningKey(configOf(), systemClock);
    expect((await open()).names.areAnew).toBe(true);
    const after = await nameOf();
    expect(after).not.toBe(before);
    await rotateSigningKey(configOf(), systemClock);
    expect(await nameOf()).toBe(after);
  });

  it('gives way to no other where there is no log, or the log is of another server', async () => {
    await expect(rotateSigningKey(configOf(), systemClock)).rejects.toThrow('the first start makes a signing key');
    expect(existsSync(join(directory, 'log'))).toBe(false);
    await open();
    await expect(rotateSigningKey(configOf('b.example'), systemClock)).rejects.toThrow(ConfigError);
  });

  it('is accepted for no other server', async () => {
    await open();
    rmSync(join(directory, 'keys'), { recursive: true });
    await expect(acceptSigningKey(configOf('b.example'), systemClock)).rejects.toThrow(ConfigError);
  });

  it('made by a first start that was killed on the way is taken up by the next', async () => {
    const { signingKey } = await open();
    const keys = join(directory, 'keys');
    // Named by the log, and not yet in its place.
    renameSync(join(keys, 'signing.key'), join(keys, 'signing.key.new'));
    expect((await open()).signingKey.publicKey).toEqual(signingKey.publicKey);
    expect(readdirSync(keys)).toEqual(['signing.key']);
    // Drafted, and the log not yet begun.
    renameSync(join(keys, 'signing.key'), join(keys, 'signing.key.new'));
    rmSync(join(directory, 'log'), { recursive: true });
    expect((await open()).signingKey.publicKey).toEqual(signingKey.publicKey);
  });
});
