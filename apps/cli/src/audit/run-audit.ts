import { systemClock } from '#kernel/clock';
import { findLogIdentity } from '#event-store/log-identity';
import type { EventStore } from '#event-store/event-store';
import type { RoomId, ServerName } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { type AuditEntry, type AuditOptions, auditRoom } from '#rooms/audit/audit-room';
import { type People, peopleOf } from '#rooms/audit/people';
import { type Moment, type StateAt, stateAt } from '#rooms/audit/state-at';
import { CliFailure, EXIT, type ExitCode } from '../failure.js';
import { messageOf } from '#kernel/message-of';
import type { Installation } from '../installation.js';
import type { Terminal } from '../terminal/terminal.js';
import { counted, moment, visible } from '../terminal/units.js';
import { keyRing } from '../verify/key-ring.js';
import { keysOfOthers } from '../verify/keys-of-others.js';
import { publicKeysOf, readKeyFiles } from '../verify/own-keys.js';
import { findRoom } from './find-room.js';
import { type RefusedEntry, refusedLine, refusedOfRoom, withRefused } from './refused-of-room.js';
import { verdictOf, writePage } from './html/write-page.js';
import { verifyRoomFacts } from './verify-room-facts.js';
import { writeFileInPieces } from './write-file-in-pieces.js';

export interface RunAuditOptions {
  /** A room id or an alias of this server. */
  readonly room: string;
  /** Revisions, both inclusive. */
  readonly from?: number;
  readonly to?: number;
  /** Milliseconds since the epoch: from this moment, up to that one. */
  readonly since?: number;
  readonly until?: number;
  /** The most entries to tell: the last ones. */
  readonly limit?: number;
  /** Print the state at this moment instead of the history. */
  readonly at?: Moment;
  /** Tell the texts of messages. */
  readonly messages?: boolean;
  /** Tell event ids and the effect on the state too. */
  readonly verbose?: boolean;
  readonly json: boolean;
  /** Write a page to this file instead. */
  readonly html?: string;
  /** Write over a file that is there. */
  readonly force?: boolean;
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
    const server = (await findLogIdentity(store))?.serverName ?? installation.config.serverName;
    const roomId = await findRoom(store, options.room);
    const people = peopleOf(server);
    if (options.html !== undefined) return await printPage(store, roomId, server, installation, terminal, options);
    if (options.at === undefined) await printHistory(store, roomId, people, terminal, options);
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

async function printHistory(
  store: EventStore,
  roomId: RoomId,
  people: People,
  terminal: Terminal,
  { json, verbose = false, limit, signal, ...options }: RunAuditOptions,
): Promise<void> {
  const print = (entry: AuditEntry | RefusedEntry): Promise<void> => {
    if (json) return terminal.line(JSON.stringify({ ...entry, at: moment(entry.at) }));
    return terminal.line(
      entry.fact === 'refused' ? refusedLine(entry as RefusedEntry) : auditLine(entry as AuditEntry, verbose),
    );
  };
  const last: (AuditEntry | RefusedEntry)[] = [];
  const refused = await refusedIn(store, roomId, options);
  for await (const entry of withRefused(auditRoom(store, roomId, toldOf(options, people)), refused)) {
    if (signal?.aborted === true) throw new CliFailure('interrupted', EXIT.interrupted);
    if (limit === undefined) await print(entry);
    else if (last.push(entry) > limit) last.shift();
  }
  for (const entry of last) await print(entry);
}

/** What was refused has no revision: where revisions are asked for it is not told. */
async function refusedIn(
  store: EventStore,
  roomId: RoomId,
  { from, to, since = -Infinity, until = Infinity }: Partial<RunAuditOptions>,
): Promise<RefusedEntry[]> {
  if (from !== undefined || to !== undefined) return [];
  return (await refusedOfRoom(store, roomId)).filter(({ at }) => at >= since && at < until);
}

function toldOf({ from, to, since, until, messages = false }: Partial<RunAuditOptions>, people: People): AuditOptions {
  return { from, to, since, until, messages, people };
}

async function printPage(
  store: EventStore,
  roomId: RoomId,
  server: ServerName,
  { config }: Installation,
  terminal: Terminal,
  options: RunAuditOptions,
): Promise<ExitCode> {
  const { html = '', messages = false, force = false, from, since, limit } = options;
  if (from !== undefined || since !== undefined || limit !== undefined) {
    throw new CliFailure(
      'a page shows the state at each moment, so that it begins with the room: only --to and --until',
    );
  }
  const own = publicKeysOf(server, readKeyFiles(config.dataDir));
  const named = ((await findLogIdentity(store))?.keys ?? []).map(({ key_id: keyId, public_key: key }) => ({
    server,
    keyId,
    key,
  }));
  const verified = await verifyRoomFacts(
    store,
    roomId,
    keyRing([...(await keysOfOthers(store)), ...named, ...own], server),
    options.to,
  );
  const refused = await refusedIn(store, roomId, options);
  const head = { room: options.room, server, madeAt: systemClock.now(), verified, messages, refused };
  const entries = auditRoom(store, roomId, toldOf(options, peopleOf(server)));
  await writeFileInPieces(html, writePage(head, entries), force);
  await terminal.line(`${html}: ${verdictOf(verified)}`);
  return verified.problems.size === 0 ? EXIT.ok : EXIT.found;
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

/** One fact of a room's history as a line: revision, time, who (device), what; `verbose`: its event id and the effect too. */
function auditLine(entry: AuditEntry, verbose: boolean): string {
  const { revision, at, who, device, origin, transaction, what, effect, event_id: id } = entry;
  const by = device === undefined ? who : `${who} (${device})`;
  const told = `${String(revision).padStart(REVISION_WIDTH)}  ${moment(at)}  ${by} ${what}`;
  if (!verbose) return told;
  const line = origin === undefined ? told : `${told} (from ${origin}${sentIn(transaction)})`;
  const changes = effect.map(({ type, state_key: key, event_id: eventId, replaces }) => {
    return `${nameOf(type, key)} = ${eventId ?? 'nothing'}${replaces === undefined ? '' : `, was ${replaces}`}`;
  });
  if (changes.length > 0) return `${line}  [${changes.join('; ')}]`;
  return id === undefined ? line : `${line}  ${id}`;
}

function sentIn(transaction: string | undefined): string {
  return transaction === undefined ? '' : `, transaction ${visible(transaction)}`;
}

function nameOf(type: string, stateKey: string): string {
  return stateKey === '' ? type : `${type} (${stateKey})`;
}
