import type { EventStore } from '#event-store/event-store';
import { SERVICE_PREFIX, type ServiceFact, type ServiceTransaction, transactionIdOf } from '../facts/service-facts.js';
import type { ServiceNotes } from './service-notes.js';
import type { RefusedTransaction } from './service-delivery.js';

/** How sending to an application service does. */
export interface ServiceStatus {
  readonly id: string;
  /** Of what was sent, and was to be: the number of the last transaction. */
  readonly transactions: number;
  /** When the last was written of what the service has been sent, or was nothing to it, in milliseconds; undefined where that is not told. */
  readonly upTo?: number;
  /** The transaction that is sent now. */
  readonly underWay?: Pick<RefusedTransaction, 'id' | 'events' | 'since'>;
  /** How often this process sent it in vain, and what came of it last. */
  readonly refused?: Pick<RefusedTransaction, 'tries' | 'reason'>;
}

/** How sending to each application service does that was ever sent to, as the log has it, by their ids. */
export async function listServices(
  store: Pick<EventStore, 'streams'>,
  notes: Pick<ServiceNotes, 'find'>,
): Promise<ServiceStatus[]> {
  const all: ServiceStatus[] = [];
  for await (const stream of store.streams({ prefix: SERVICE_PREFIX })) {
    const id = stream.slice(SERVICE_PREFIX.length);
    const noted = await notes.find(id);
    if (noted !== undefined) all.push(statusOf(id, noted));
  }
  return all.toSorted((one, other) => (one.id < other.id ? -1 : 1));
}

function statusOf(id: string, { type, data }: ServiceFact): ServiceStatus {
  const status = { id, transactions: data.number, ...(data.up_to === null ? {} : { upTo: data.up_to.at }) };
  return type === 'service-transaction' ? { ...status, underWay: underWay(data) } : status;
}

function underWay(data: ServiceTransaction): ServiceStatus['underWay'] {
  return { id: transactionIdOf(data), events: data.events.length, since: data.made_at };
}
