import { NotUnderWay, ServiceNotes } from '#appservices/sending/service-notes';
import { listServices, type ServiceStatus } from '#appservices/sending/service-status';
import { systemClock } from '#kernel/clock';
import { CliFailure, EXIT, type ExitCode } from '../failure.js';
import type { Installation } from '../installation.js';
import { openToWrite } from '../open-to-write.js';
import { callServer } from '../projections/remote-projections.js';
import { table } from '../terminal/table.js';
import type { Terminal } from '../terminal/terminal.js';
import { count, moment, visible } from '../terminal/units.js';

const HEAD = ['SERVICE', 'TRANSACTIONS', 'UP TO', 'UNDER WAY', 'EVENTS', 'SINCE', 'TRIES', 'REASON'];

/** `appservices list`: how sending to each application service does; exit code 1 where one does not take a transaction. */
export async function listAppservices(
  installation: Installation,
  terminal: Terminal,
  { json }: { readonly json: boolean },
): Promise<ExitCode> {
  const all = await readServices(installation);
  for (const line of json ? all.map((each) => JSON.stringify(each)) : table(HEAD, all.map(rowOf))) {
    await terminal.line(line);
  }
  return all.some(({ refused }) => refused !== undefined) ? EXIT.found : EXIT.ok;
}

/** How sending to each application service does, as the running server says it, or else the log. */
export async function readServices(installation: Installation): Promise<ServiceStatus[]> {
  const client = await installation.connect();
  if (client !== undefined) {
    try {
      return await callServer<ServiceStatus[]>(client, 'appservices.list');
    } finally {
      client.close();
    }
  }
  const store = await installation.openLogToRead();
  try {
    return await listServices(store, new ServiceNotes(store, systemClock));
  } finally {
    await store.close();
  }
}

function rowOf({ id, transactions, upTo, underWay, refused }: ServiceStatus): string[] {
  return [
    visible(id),
    count(transactions),
    upTo === undefined ? '' : moment(upTo),
    underWay?.id ?? '',
    underWay === undefined ? '' : count(underWay.events),
    underWay === undefined ? '' : moment(underWay.since),
    refused === undefined ? '' : count(refused.tries),
    visible(refused?.reason ?? ''),
  ];
}

/** `appservices skip ID TRANSACTION`: exit code 1 where that is not under way. */
export async function skipTransaction(
  installation: Installation,
  terminal: Terminal,
  id: string,
  transaction: string,
): Promise<ExitCode> {
  const client = await installation.connect();
  try {
    if (client !== undefined) await callServer(client, 'appservices.skip', { name: id, transaction });
    else await openToWrite(installation.config, (store) => new ServiceNotes(store, systemClock).skip(id, transaction));
  } catch (error) {
    if (error instanceof NotUnderWay) throw new CliFailure(error.message, EXIT.found);
    throw error;
  } finally {
    client?.close();
  }
  await terminal.line(`transaction ${transaction} is not sent to ${visible(id)} any more: it goes on with the next`);
  return EXIT.ok;
}
