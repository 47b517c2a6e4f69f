import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '#config/config';
import { ConfigError } from '#config/config-error';
import type { EventStore } from '#event-store/event-store';
import { KeyedNames } from '#event-store/keyed-names';
import { LogDamaged, LogOfAnotherVersion } from '#event-store/event-store-errors';
import {
  acceptKey,
  findLogIdentity,
  isKeyInUse,
  isKnownKey,
  type LogIdentity,
  nameLog,
  type NamedKey,
} from '#event-store/log-identity';
import { TodaysEventStore } from '#event-store/todays-event-store';
import type { Clock } from '#kernel/clock';
import { START } from '#kernel/position';
import { MEDIA_FOLDER } from '#media/media-folder';
import { FACT_SHAPES } from '#processes/fact-shapes';
import { hasViews } from '#read-models/lmdb/views-folders';
import { ROOM_PARTS } from '#rooms/facts/told-in-parts';
import { encodeBase64 } from '#protocol/signing/base64';
import type { SigningKey } from '#protocol/signing/signing-key';
import { type LogWatch, makeDirectory, openEventStore } from './infrastructure.js';
import {
  draftSigningKey,
  findDraftedKey,
  findKeyById,
  findSigningKey,
  keepSigningKey,
  oldKeyFile,
  replaceSigningKey,
  SIGNING_KEY_FILE,
} from './signing-key-file.js';

/** How folders begin in which `annals restore` gathers a backup before it takes its place within the data folder. */
export const RESTORING = 'restoring-';

type OwnConfig = Pick<Config, 'serverName' | 'dataDir' | 'eventStoreUrl'>;

/** The log of this server, and what belongs to it. */
export interface OwnLog {
  readonly store: EventStore;
  readonly identity: LogIdentity;
  readonly signingKey: SigningKey;
  readonly names: KeyedNames;
}

/**
 * Opens the log to write and makes sure that it is this server's: the first start names it and makes the signing key; every
 * later one finds the same name and a key that the log knows. Throws ConfigError, with one line that says what to do, where
 * the name is another, where the key or the log is lost or damaged, or where one of them is another's.
 */
export async function openOwnLog(config: Config, clock: Clock, watch?: LogWatch): Promise<OwnLog> {
  if (!hasLog(config)) checkIsNew(config);
  const store = await openUndamaged(config, watch);
  try {
    const identity = (await findOwnIdentity(store, config)) ?? (await begin(store, config, clock));
    checkServerName(identity, config);
    checkIsWhole(identity, config);
    const signingKey = findKnownKey(identity, config);
    const today = new TodaysEventStore(store, FACT_SHAPES, ROOM_PARTS);
    const names = openNames(identity, config);
    // One that was in use before others is so again: by the log, others are told which one is.
    return { store: today, identity: await acceptKey(store, clock, nameOf(signingKey)), signingKey, names };
  } catch (error) {
    await store.close();
    throw describeDamage(error, config);
  }
}

async function openUndamaged(config: Config, watch?: LogWatch): Promise<EventStore> {
  try {
    return await openEventStore(config, watch);
  } catch (error) {
    throw describeDamage(error, config);
  }
}

/** Where the log is damaged, or another version's, trying again would not help: what to say instead of the error. */
export function describeDamage(error: unknown, config: OwnConfig): unknown {
  if (error instanceof LogOfAnotherVersion) return new ConfigError(`${placeOf(config)}: ${error.message}`);
  if (!(error instanceof LogDamaged)) return error;
  return new ConfigError(
    `The log in ${placeOf(config)} is damaged: ${error.finding}; "annals verify" tells what else is, ` +
      'and "annals restore" puts a backup in its place',
  );
}

/** What became of a key: whether the log knew it before, and whether it has its names by it from then on (`KeyedNames`), for the key of before is lost. */
export interface AcceptedKey {
  readonly key: NamedKey;
  readonly isNew: boolean;
  readonly isForNames: boolean;
}

/** Goes on with the key that is in `keys/`, made where there is none, whatever the log says. Throws as `openOwnLog`. */
export async function acceptSigningKey(config: Config, clock: Clock): Promise<AcceptedKey> {
  const store = await openUndamaged(config);
  try {
    const directory = makeDirectory(config, 'keys');
    const key = nameOf(findSigningKey(directory) ?? draftSigningKey(directory));
    const known = await findOwnIdentity(store, config);
    if (known === undefined) {
      checkIsNotHalfRestored(config);
      checkHasNoViews(config);
      checkHasNoMedia(config);
    } else checkServerName(known, config);
    const isNew = known === undefined || !isKnownKey(known, key);
    const isForNames = known !== undefined && findNamesKey(known, directory) === undefined;
    if (known === undefined) await nameLog(store, clock, config.serverName, key);
    else await acceptKey(store, clock, key, isForNames);
    keepSigningKey(directory);
    return { key, isNew, isForNames };
  } finally {
    await store.close();
  }
}

/**
 * Goes on with a new key. What was signed with the one before stays good, and that stays in `keys/`, for `annals verify`. A crash in between
 * leaves the one or the other in use, as the log has it. Throws as `openOwnLog`, and where there is no log yet.
 */
export async function rotateSigningKey(config: Config, clock: Clock): Promise<{ key: NamedKey; before: NamedKey }> {
  const none = new ConfigError(`${lostLog(config)}: the first start makes a signing key`);
  if (!hasLog(config)) throw none;
  const store = await openUndamaged(config);
  try {
    const identity = await findOwnIdentity(store, config);
    if (identity === undefined) throw none;
    checkServerName(identity, config);
    const before = nameOf(findKnownKey(identity, config));
    const directory = makeDirectory(config, 'keys');
    const key = nameOf(draftSigningKey(directory));
    await acceptKey(store, clock, key);
    replaceSigningKey(directory);
    return { key, before };
  } finally {
    await store.close();
  }
}

/** Throws ConfigError where the log is another server's than the configuration says. */
export function checkServerName(
  identity: Pick<LogIdentity, 'serverName'>,
  { serverName, dataDir, eventStoreUrl }: OwnConfig,
): void {
  if (identity.serverName === serverName) return;
  const place = eventStoreUrl === undefined ? dataDir : 'the event store';
  throw new ConfigError(
    `ANNALS_SERVER_NAME is ${serverName}, but the log in ${place} is that of ${identity.serverName}: ` +
      'set the name back or use another data folder (a server cannot change its name)',
  );
}

/** A copy that lacks something would go another way than what it is a copy of. */
function checkIsWhole({ copy }: LogIdentity, config: OwnConfig): void {
  if (copy?.isComplete !== false) return;
  throw new ConfigError(
    `The log in ${placeOf(config)} is a copy that did not come to its end: run "annals log copy" again where the log is that it is of`,
  );
}

/** Undefined where the log is empty. */
async function findOwnIdentity(store: EventStore, config: OwnConfig): Promise<LogIdentity | undefined> {
  // The head first: what another process writes meanwhile begins with whose it is.
  const head = await store.head();
  const identity = await findLogIdentity(store);
  if (identity === undefined && head !== START) {
    throw new ConfigError(
      `The log in ${placeOf(config)} does not say whose it is: run "annals verify"; where it is damaged restore a backup`,
    );
  }
  return identity;
}

async function begin(store: EventStore, config: Config, clock: Clock): Promise<LogIdentity> {
  checkIsNew(config);
  const directory = makeDirectory(config, 'keys');
  const identity = await nameLog(store, clock, config.serverName, nameOf(draftSigningKey(directory)));
  // Only now: a key without a log would look as if the log had been lost.
  keepSigningKey(directory);
  return identity;
}

/** False where there is an embedded log to be made. */
function hasLog({ eventStoreUrl, dataDir }: OwnConfig): boolean {
  return eventStoreUrl !== undefined || existsSync(join(dataDir, 'log', 'data.mdb'));
}

/** The log is empty: nothing else may be left of a server. */
function checkIsNew(config: OwnConfig): void {
  checkIsNotHalfRestored(config);
  checkHasNoViews(config);
  checkHasNoMedia(config);
  const keys = join(config.dataDir, 'keys');
  if (existsSync(keys) && readdirSync(keys).some((name) => name.endsWith('.key'))) {
    throw new ConfigError(
      `${lostLog(config)}, but there are signing keys in ${keys}: restore the log from a backup ` +
        '("annals restore"), or begin a new log with this key by "annals keys accept"',
    );
  }
}

/** Between the log that was taken away and the one that takes its place there is none: a new server must not begin there. */
function checkIsNotHalfRestored(config: OwnConfig): void {
  const { dataDir } = config;
  const partial = existsSync(dataDir) ? readdirSync(dataDir).find((name) => name.startsWith(RESTORING)) : undefined;
  if (partial === undefined) return;
  throw new ConfigError(
    `${lostLog(config)}, and ${join(dataDir, partial)} shows that "annals restore" is under way or was interrupted: run it again`,
  );
}

function checkHasNoViews(config: OwnConfig): void {
  const views = join(config.dataDir, 'views');
  if (!hasViews(views)) return;
  throw new ConfigError(
    `${lostLog(config)}, but there are views in ${views}: restore the log from a backup ("annals restore"), ` +
      'or move the whole data folder away to begin a new server',
  );
}

/** A log that knows of no media would have all of them removed. */
function checkHasNoMedia(config: OwnConfig): void {
  const content = join(config.dataDir, MEDIA_FOLDER, 'content');
  if (!existsSync(content) || readdirSync(content).length === 0) return;
  throw new ConfigError(
    `${lostLog(config)}, but there is content of media in ${content}: restore the log from a backup ("annals restore"), ` +
      'or move that folder away to begin without them',
  );
}

function lostLog(config: OwnConfig): string {
  return `The log in ${placeOf(config)} is empty`;
}

function placeOf({ dataDir, eventStoreUrl }: OwnConfig): string {
  return eventStoreUrl === undefined ? join(dataDir, 'log') : 'the event store';
}

function findKnownKey(identity: LogIdentity, config: Config): SigningKey {
  const directory = makeDirectory(config, 'keys');
  finishRotation(identity, directory);
  const key = findSigningKey(directory);
  const path = join(directory, SIGNING_KEY_FILE);
  const names = identity.keys.map(({ key_id: id }) => id).join(', ');
  const advice = 'restore keys/ from a backup, or go on with another key by "annals keys accept"';
  if (key === undefined) {
    throw new ConfigError(`${path} is missing, and ${identity.serverName} has signed with ${names}: ${advice}`);
  }
  if (!isKnownKey(identity, nameOf(key))) {
    throw new ConfigError(
      `${path} holds ${key.keyId}, but the log of ${identity.serverName} knows ${names}: ${advice}`,
    );
  }
  // Made by a first start that ended before it could say so.
  keepSigningKey(directory);
  return key;
}

/** How this log names what could be guessed. Throws ConfigError where the key of its names is lost. */
function openNames(identity: LogIdentity, config: Config): KeyedNames {
  const directory = makeDirectory(config, 'keys');
  const key = findNamesKey(identity, directory);
  if (key !== undefined)
    return new KeyedNames(key.exportSeed(), identity.keys[0]?.public_key !== identity.namesKey.public_key);
  const { key_id: id } = identity.namesKey;
  throw new ConfigError(
    `${join(directory, oldKeyFile(id))} is missing, by which the log of ${identity.serverName} names mail addresses, phone numbers and accounts elsewhere: ` +
      'restore keys/ from a backup, or copy it from where this server runs, too; where nobody has it, "annals keys accept" goes on with other names',
  );
}

function findNamesKey({ namesKey }: LogIdentity, directory: string): SigningKey | undefined {
  const key = findKeyById(directory, namesKey.key_id);
  return key !== undefined && nameOf(key).public_key === namesKey.public_key ? key : undefined;
}

/** The log names a key as the one in use before it takes the place of the one before. */
function finishRotation(identity: LogIdentity, directory: string): void {
  const drafted = findDraftedKey(directory);
  const inUse = findSigningKey(directory);
  if (drafted === undefined || inUse === undefined || drafted.keyId === inUse.keyId) return;
  if (isKeyInUse(identity, nameOf(drafted))) replaceSigningKey(directory);
}

function nameOf({ keyId, publicKey }: SigningKey): NamedKey {
  return { key_id: keyId, public_key: encodeBase64(publicKey) };
}
