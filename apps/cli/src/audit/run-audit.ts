import { aliasStream, evolveAlias, NO_ALIAS } from '#directory/aliases';
import type { EventStore } from '#event-store/event-store';
import { isRoomAlias, isRoomId, type RoomAlias, type RoomId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { type AuditEntry, auditRoom, type StateAt, stateAt } from '#rooms/audit/audit-room';
import { CliFailure, EXIT, type ExitCode, messageOf } from '../failure.js';
import type { Installation } from '../installation.js';
import type { Terminal } from '../terminal/terminal.js';
import { counted, moment } from '../terminal/units.js';

export interface RunAuditOptions {
  /** A room id or an alias of this server. */
  readonly room: string;
  /** Revisions, both inclusive. */
  readonly from?: number;
  readonly to?: number;
  /** Print the state after this revision instead of the history. */
  readonly at?: number;
  readonly json: boolean;
  readonly signal?: AbortSignal;
}

/** Tells a room's history, or its state at one moment, from the log alone. */
export async function runAudit(
  installation: Installation,
  terminal: Terminal,
  options: RunAuditOptions,
): Promise<ExitCode> {
  const store = await installation.openLogToRead();
  try {
    const roomId = await findRoom(store, options.room);
    if (options.at === undefined) await printHistory(store, roomId, terminal, options);
    else await printState(await stateAt(store, roomId, options.at), roomId, terminal, options.json);
    return EXIT.ok;
  } catch (error) {
    if (error instanceof CliFailure) throw error;
    if (error instanceof MatrixError) throw new CliFailure(error.message, EXIT.found);
    throw new CliFailure(`${options.room}: the log cannot be read: ${messageOf(error)}; "annals verify" tells more`);
  } finally {
    await store.close();
  }
}

async function findRoom(store: EventStore, text: string): Promise<RoomId> {
  if (isRoomId(text)) return text;
  if (!isRoomAlias(text)) throw new CliFailure(`${text}: neither a room id (!…) nor an alias (#…:server)`, EXIT.found);
  const roomId = await findRoomOfAlias(store, text);
  if (roomId === undefined) throw new CliFailure(`${text}: the log has no room under this alias`, EXIT.found);
  return roomId;
}

async function findRoomOfAlias(store: EventStore, alias: RoomAlias): Promise<RoomId | undefined> {
  for await (const fact of store.readStream(aliasStream(alias), { backwards: true, limit: 1 })) {
    return evolveAlias(NO_ALIAS, fact).roomId;
  }
  return undefined;
}

async function printHistory(
  store: EventStore,
  roomId: RoomId,
  terminal: Terminal,
  { from, to, json, signal }: RunAuditOptions,
): Promise<void> {
  for await (const entry of auditRoom(store, roomId, { from, to })) {
    if (signal?.aborted === true) throw new CliFailure('interrupted', EXIT.interrupted);
    await terminal.line(json ? JSON.stringify({ ...entry, at: moment(entry.at) }) : auditLine(entry));
  }
}

async function printState(
  { revision, root, state }: StateAt,
  roomId: RoomId,
  terminal: Terminal,
  json: boolean,
): Promise<void> {
  if (!json) await terminal.line(`${roomId} after revision ${revision}: ${counted(state.length, 'key')}, root ${root}`);
  for (const { type, state_key: key, event_id: eventId, content } of state) {
    if (json) await terminal.line(JSON.stringify({ revision, root, type, state_key: key, event_id: eventId, content }));
    else await terminal.line(`${nameOf(type, key)}  ${eventId}  ${JSON.stringify(content)}`);
  }
}

const REVISION_WIDTH = 6;
const WHO_WIDTH = 32;

/** One fact of a room's history as a line: revision, time, who (device), what, and what became of the state. */
export function auditLine({ revision, at, actor, device, what, effect, event_id: id }: AuditEntry): string {
  const who = device === undefined ? actor : `${actor} (${device})`;
  const place = `${String(revision).padStart(REVISION_WIDTH)}  ${moment(at)}  ${who.padEnd(WHO_WIDTH)}`;
  const changes = effect.map(({ type, state_key: key, event_id: eventId, replaces }) => {
    return `${nameOf(type, key)} = ${eventId}${replaces === undefined ? '' : `, was ${replaces}`}`;
  });
  if (changes.length > 0) return `${place}  ${what}  [${changes.join('; ')}]`;
  return id === undefined || what.includes(id) ? `${place}  ${what}` : `${place}  ${what}  ${id}`;
}

function nameOf(type: string, stateKey: string): string {
  return stateKey === '' ? type : `${type} (${stateKey})`;
}
