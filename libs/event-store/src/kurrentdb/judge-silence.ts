import type { Silence } from '#kernel/wait-for-server';
import { EventStoreMisconfigured, EventStoreUnavailable } from '../event-store-errors.js';
import { findFault } from './find-fault.js';
import type { ServerAddress } from './server-address.js';
import { errorKind, isTransient, wordsOf } from './transient.js';

/**
 * Why the server did not answer a try. What is thrown at the end: EventStoreMisconfigured where another certificate or password
 * is needed, or another host, whose name may come late; else EventStoreUnavailable. Throws what is neither.
 */
export async function judgeSilence(address: ServerAddress, error: unknown): Promise<Silence> {
  const place = `The event store at ${address.name}`;
  const because = { cause: error };
  if (errorKind(error) === 'access-denied') {
    const reason = `${place} does not take the user and the password`;
    return { reason, mayPass: 'never', error: new EventStoreMisconfigured(reason, because) };
  }
  const fault = await findFault(address);
  const reason = `${place} does not answer: ${fault?.words ?? wordsOf(error)}`;
  if (fault !== undefined) {
    const lasting = new EventStoreMisconfigured(`${place}: ${fault.words}`, because);
    return { reason, mayPass: fault.mayPass ? 'soon' : 'never', error: lasting };
  }
  if (!isTransient(error)) throw error;
  return { reason, mayPass: 'any time', error: new EventStoreUnavailable(reason, because) };
}
