import { randomUUID } from 'node:crypto';
import type { Clock } from '#kernel/clock';
import type { ServerName } from '#kernel/ids';
import { type Position, START } from '#kernel/position';
import { Aggregates, type Fold } from './aggregates.js';
import type { EventStore, NewFact } from './event-store.js';
import { factId } from './fact-id.js';
import type { FactShapes } from './fact-shapes.js';
import type { Restoration } from './log-history.js';
import type { FactDraft } from './seal-facts.js';

/** The stream of what concerns the whole log. Its first fact says whose log it is. */
export const SERVER_STREAM = 'server';

/** A key that the server signs with, as the log names it: its public half only. */
export interface NamedKey {
  /** `ed25519:` and its version. */
  readonly key_id: string;
  /** Base64 without padding. */
  readonly public_key: string;
}

/** A key, and since when the server signs with it. */
export interface KeyInUse extends NamedKey {
  /** Milliseconds since the epoch. */
  readonly since: number;
}

/** `log-begun`: the first fact of all. */
export interface LogBegun {
  /** A random UUID: two logs never have the same, whatever the server is called. */
  readonly log_id: string;
  readonly server_name: ServerName;
  readonly key: NamedKey;
  /** The id of the log that this one is a copy of. */
  readonly copied_from?: string;
}

/** `copy-resumed`, `copy-completed`: from the beginning of a copy on, and from the first on, until the second, a part of it is missing. */
export const COPY_RESUMED = 'copy-resumed';
export const COPY_COMPLETED = 'copy-completed';

/** `signing-key-accepted`: from here on the server signs with another key. What was signed with those before stays good. */
export interface SigningKeyAccepted extends NamedKey {
  /** By it the log has its names of what could be guessed from here on (`KeyedNames`): the one by which it had them is lost. */
  readonly for_names?: true;
}

export const LOG_RESTORED = 'log-restored';

/**
 * `log-restored`: what stood after the place named in it is lost, and from there on the log goes another way. Positions of what
 * is lost are given out again: whoever remembers one goes by the restoration's name (`log-history.ts`).
 */
export interface LogRestored {
  readonly restore_id: string;
  /** The last place up to which the log is as it was before. */
  readonly agreed: Position;
  /** It befell the log that this one is a copy of, whose places say nothing here. */
  readonly copied?: true;
}

/** What a fact says of a restoration of this log; undefined where it says of none, or of one of the log that this is a copy of. */
export function restorationOf({ type, data }: Pick<NewFact, 'type' | 'data'>): LogRestored | undefined {
  if (type !== LOG_RESTORED) return undefined;
  const restored = JSON.parse(data) as LogRestored; // written by `noteRestored`
  return restored.copied === true ? undefined : restored;
}

/** Whose log it is. */
export interface LogIdentity {
  readonly logId: string;
  readonly serverName: ServerName;
  /** All keys that the server has signed with, the first one first; each until the next one. */
  readonly keys: readonly KeyInUse[];
  /** The key by which the log has its names of what could be guessed (`KeyedNames`): the first one, whichever others follow, unless that was lost. */
  readonly namesKey: NamedKey;
  /** The times that the log was put back to an earlier moment. A copy begins with one: nobody has been given a place of it before. */
  readonly restored: readonly Restoration[];
  /** Of a copy: the log that it is of, and whether all is there that was to be copied. */
  readonly copy?: { readonly of: string; readonly isComplete: boolean };
}

const FOLD: Fold<LogIdentity | undefined> = { initialState: undefined, evolve: evolveIdentity };

/** Folds the facts of the stream `server`; those it does not know change nothing. */
function evolveIdentity(
  identity: LogIdentity | undefined,
  { type, data, metadata: { at: since } }: NewFact,
): LogIdentity | undefined {
  if (type === 'log-begun') {
    const { log_id: logId, server_name: serverName, key, copied_from: of } = JSON.parse(data) as LogBegun; // written by `nameLog`
    if (identity !== undefined) return identity;
    const named = { logId, serverName, keys: [{ ...key, since }], namesKey: key };
    if (of === undefined) return { ...named, restored: [] };
    const restored = [{ name: logId.slice(0, 8), agreed: START, isCopy: true as const }];
    return { ...named, restored, copy: { of, isComplete: false } };
  }
  if ((type === COPY_COMPLETED || type === COPY_RESUMED) && identity?.copy !== undefined) {
    return { ...identity, copy: { ...identity.copy, isComplete: type === COPY_COMPLETED } };
  }
  if (type === 'signing-key-accepted' && identity !== undefined) {
    const { for_names: isForNames, ...key } = JSON.parse(data) as SigningKeyAccepted; // written by `acceptKey`
    const keys = [...identity.keys, { ...key, since }];
    return { ...identity, keys, ...(isForNames === true ? { namesKey: key } : {}) };
  }
  const restored = restorationOf({ type, data });
  if (restored === undefined || identity === undefined) return identity;
  const { restore_id: id, agreed } = restored;
  return { ...identity, restored: [...identity.restored, { name: id.slice(0, 8), agreed }] };
}

/** Whose log it is; undefined where it has not been told yet. */
export async function findLogIdentity(store: Pick<EventStore, 'readStream'>): Promise<LogIdentity | undefined> {
  let identity: LogIdentity | undefined;
  for await (const fact of store.readStream(SERVER_STREAM)) identity = evolveIdentity(identity, fact);
  return identity;
}

/**
 * Says in a log whose it is, where nobody has yet, and answers what it then says: of two processes that do so at once one is
 * first, and the other is told what that one said.
 */
export async function nameLog(
  store: EventStore,
  clock: Clock,
  serverName: ServerName,
  key: NamedKey,
): Promise<LogIdentity> {
  const begun: LogBegun = { log_id: randomUUID(), server_name: serverName, key };
  return change(store, clock, (identity) =>
    identity === undefined ? [draftOf('log-begun', begun.log_id, begun)] : [],
  );
}

/**
 * Notes that the server signs with this key from here on; nothing where it does already. The log must have been named. `isForNames`: names are made by it, too,
 * from here on.
 */
export function acceptKey(
  store: EventStore,
  clock: Clock,
  key: NamedKey,
  isForNames: boolean = false,
): Promise<LogIdentity> {
  return change(store, clock, (identity) => {
    if (identity === undefined) return [];
    const isNoted = isKeyInUse(identity, key) && (!isForNames || isSameKey(identity.namesKey, key));
    if (isNoted) return [];
    const name = `${identity.logId} ${identity.keys.length} ${key.key_id} ${key.public_key}`;
    const accepted: SigningKeyAccepted = { ...key, ...(isForNames ? { for_names: true } : {}) };
    return [draftOf('signing-key-accepted', name, accepted)];
  });
}

/**
 * Notes that the log was put back to an earlier moment, once. `agreed`: the last place up to which it is as it was before; by
 * default where it ends, which is right before anything else is appended.
 */
export async function noteRestored(store: EventStore, clock: Clock, agreed?: Position): Promise<LogIdentity> {
  const restored: LogRestored = { restore_id: randomUUID(), agreed: agreed ?? (await store.head()) };
  return change(store, clock, (identity) =>
    identity === undefined ? [] : [draftOf(LOG_RESTORED, restored.restore_id, restored)],
  );
}

/** Whether the log names the key, by its id and its bytes. */
export function isKnownKey({ keys }: { readonly keys: readonly NamedKey[] }, key: NamedKey): boolean {
  return keys.some((known) => isSameKey(known, key));
}

/** Whether it is the last one that the log names: what the server signs with now. */
export function isKeyInUse({ keys }: { readonly keys: readonly NamedKey[] }, key: NamedKey): boolean {
  const last = keys.at(-1);
  return last !== undefined && isSameKey(last, key);
}

function isSameKey(one: NamedKey, other: NamedKey): boolean {
  return one.key_id === other.key_id && one.public_key === other.public_key;
}

async function change(
  store: EventStore,
  clock: Clock,
  decide: (identity: LogIdentity | undefined) => FactDraft[],
): Promise<LogIdentity> {
  const streams = new Aggregates({ ...FOLD, store, clock, capacity: 1 });
  const { state } = await streams.execute(SERVER_STREAM, decide, { actor: 'server' });
  if (state === undefined) throw new Error(`The stream ${SERVER_STREAM} does not begin with whose log it is`);
  return state;
}

function draftOf(type: string, name: string, data: LogBegun | SigningKeyAccepted | LogRestored): FactDraft {
  return { id: factId(`${type} ${name}`), type, data: JSON.stringify(data) };
}

/** How old shapes of these facts become today's. */
export const LOG_SHAPES = {
  'log-begun': [],
  'signing-key-accepted': [],
  'log-restored': [],
} as const satisfies FactShapes;
