import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import {
  addToErasureList,
  ErasureListDamaged,
  erasureListIn,
  formatErasure,
  listed,
  type ListedErasure,
  lackedBy,
  readErasureList,
} from '#admin/erasures/erasure-list';
import type { ShownErasure } from '#admin/erasures/erasure-administration';
import { type Erasure, type ErasureProgress, type ErasuresState, takeErasure } from '#admin/erasures/erasures';
import { ERASURES_STREAM } from '#admin/facts/erasure-facts';
import type { EventStore } from '#event-store/event-store';
import { CliFailure, EXIT, type ExitCode } from '../failure.js';
import type { Installation } from '../installation.js';
import { callServer } from '../projections/remote-projections.js';
import type { Terminal } from '../terminal/terminal.js';
import { count, counted, moment, visible } from '../terminal/units.js';

/** `erasures list`: what is written there can be applied elsewhere; with `status` what became of each, for people. */
export async function listErasures(
  installation: Installation,
  terminal: Terminal,
  { status }: { readonly status: boolean },
): Promise<ExitCode> {
  const erasures = await readErasures(installation);
  if (status) for (const erasure of erasures) await terminal.line(describe(erasure));
  else for (const erasure of erasures) await terminal.line(formatErasure(listed(erasure)));
  return EXIT.ok;
}

async function readErasures(installation: Installation): Promise<readonly ShownErasure[]> {
  const client = await installation.connect();
  if (client !== undefined) {
    try {
      return await callServer<ShownErasure[]>(client, 'erasures.list');
    } finally {
      client.close();
    }
  }
  const store = await installation.openLogToRead();
  try {
    return [...(await erasuresOfLog(store)).values()];
  } finally {
    await store.close();
  }
}

/** What a log says of who was erased. */
async function erasuresOfLog(store: Pick<EventStore, 'readStream'>): Promise<ErasuresState> {
  const known = new Map<string, Erasure>();
  for await (const fact of store.readStream(ERASURES_STREAM)) takeErasure(known, fact);
  return known;
}

function describe({ user_id: user, at, content, here, again, ended, progress }: ShownErasure): string {
  const what = content === true ? `all they said${here === true ? ', here alone' : ''}` : 'the account';
  const when = `${moment(at)}${again === undefined ? '' : ', done again'}`;
  const far = progress === undefined ? '' : `, ${counted(progress.events, 'event')}, ${tellProgress(progress)}`;
  if (ended === undefined) return `${user} of ${when}: ${what}: under way${far}`;
  if (ended.refused !== undefined) return `${user} of ${when}: ${what}: not done: ${visible(ended.refused)}`;
  const counts = (of: Readonly<Record<string, number>>): string =>
    Object.entries(of)
      .map(([kind, number]) => `${kind} (${count(number)})`)
      .join(', ');
  const told = [counts(ended.removed), Object.keys(ended.kept).length > 0 ? `kept: ${counts(ended.kept)}` : ''];
  return [`${user} of ${when}: ${what}`, ...told.filter((text) => text !== '')].join('; ');
}

/** At what an erasure is, and where. */
export function tellProgress({ doing, room, rooms }: ErasureProgress): string {
  const work = doing === 'redacting' ? 'redacted' : 'taken from the log';
  return `${work}, room ${count(room)} of ${count(rooms)}`;
}

/** `erasures apply FILE`: by the running server; of a stopped one with its next start. */
export async function applyErasures(installation: Installation, terminal: Terminal, file: string): Promise<ExitCode> {
  const path = resolve(file);
  if (!existsSync(path)) throw new CliFailure(`${path}: there is no such file`);
  const list = readList(path);
  const client = await installation.connect();
  if (client === undefined) {
    const added = addToErasureList(erasureListIn(installation.config.dataDir), list);
    await terminal.line(
      `${counted(added, 'erasure')} noted: done with the next start where the log does not know of them`,
    );
    return EXIT.ok;
  }
  try {
    const ordered = await callServer<number>(client, 'erasures.apply', { list });
    await terminal.line(
      `${counted(ordered, 'erasure')} ordered; the log knew of ${count(list.length - ordered)} of ${count(list.length)}`,
    );
    return EXIT.ok;
  } finally {
    client.close();
  }
}

/** A list of erasures. Throws CliFailure for one that cannot be read. */
function readList(path: string): readonly ListedErasure[] {
  try {
    return readErasureList(path);
  } catch (error) {
    if (error instanceof ErasureListDamaged) throw new CliFailure(error.message);
    throw error;
  }
}

/** How many of those that the list in a data folder names a log does not know of. */
export async function countLacked(dataDir: string, store: Pick<EventStore, 'readStream'>): Promise<number> {
  const known = [...(await erasuresOfLog(store)).values()].map(listed);
  return lackedBy(known, readList(erasureListIn(dataDir))).length;
}
