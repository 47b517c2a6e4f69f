import { listReports, NoSuchReport, type Report, Reports } from '#admin/reports/reports';
import { systemClock } from '#kernel/clock';
import { CliFailure, EXIT, type ExitCode } from '../failure.js';
import type { Installation } from '../installation.js';
import { openToWrite } from '../open-to-write.js';
import { callServer } from '../projections/remote-projections.js';
import type { Terminal } from '../terminal/terminal.js';
import { table } from '../terminal/table.js';
import { moment } from '../terminal/units.js';

const HEAD = ['REPORT', 'AT', 'BY', 'WHAT', 'REASON'];
const LONGEST_REASON = 60;

/** `reports list`: what users reported and nobody has closed; with `all` also what was closed. */
export async function listAllReports(
  installation: Installation,
  terminal: Terminal,
  { json, all }: { readonly json: boolean; readonly all: boolean },
): Promise<ExitCode> {
  const reports = (await read(installation)).filter(({ isClosed }) => all || !isClosed);
  const lines = json ? reports.map((report) => JSON.stringify(report)) : table(HEAD, reports.map(rowOf));
  for (const line of lines) await terminal.line(line);
  return EXIT.ok;
}

/** `reports show ID`: a report with the content that was reported, as JSON. */
export async function showReport(installation: Installation, terminal: Terminal, id: number): Promise<ExitCode> {
  const report = (await read(installation)).find((one) => one.id === id);
  if (report === undefined) throw new CliFailure(new NoSuchReport(id).message, EXIT.found);
  await terminal.line(JSON.stringify(report, undefined, 2));
  return EXIT.ok;
}

/** `reports close ID`: what was told with it goes from the log. */
export async function closeReport(installation: Installation, terminal: Terminal, id: number): Promise<ExitCode> {
  const client = await installation.connect();
  try {
    if (client !== undefined) await callServer(client, 'reports.close', { id });
    else await openToWrite(installation.config, (store) => new Reports(store, systemClock).close(id));
  } catch (error) {
    if (error instanceof NoSuchReport) throw new CliFailure(error.message, EXIT.found);
    throw error;
  } finally {
    client?.close();
  }
  await terminal.line(`report ${id} is closed; what it told is gone`);
  return EXIT.ok;
}

async function read(installation: Installation): Promise<readonly Report[]> {
  const store = await installation.openLogToRead();
  try {
    return await listReports(store);
  } finally {
    await store.close();
  }
}

function rowOf({ id, at, by, thing, told, isClosed }: Report): string[] {
  const reason = (told?.reason ?? '').replace(/\s+/g, ' ').slice(0, LONGEST_REASON);
  return [String(id), moment(at), by, nameOf(thing), isClosed ? 'closed' : reason];
}

function nameOf(thing: Report['thing']): string {
  if (thing.kind === 'user') return thing.user_id;
  return thing.kind === 'room' ? thing.room_id : `${thing.event_id} by ${thing.sender} in ${thing.room_id}`;
}
