import { setTimeout as delay } from 'node:timers/promises';
import { EventStoreMisconfigured, EventStoreUnavailable } from '../event-store-errors.js';
import { findFault } from './find-fault.js';
import type { ServerAddress } from './server-address.js';
import { errorKind, isTransient, wordsOf } from './transient.js';

export interface WaitOptions {
  readonly waitMs: number;
  readonly onWaiting: (reason: string) => void;
}

const PAUSE_MS = 500;
/** How often it is said that the server is still waited for. */
const SAY_MS = 30_000;

/**
 * Tries until the server answers. Throws EventStoreMisconfigured as soon as it is known that it never will: another host,
 * certificate or password is needed; EventStoreUnavailable when it has not come in time.
 */
export async function waitForServer(
  address: ServerAddress,
  probe: () => Promise<void>,
  { waitMs, onWaiting }: WaitOptions,
): Promise<void> {
  const began = performance.now();
  let saidAt = -Infinity;
  for (;;) {
    try {
      return await probe();
    } catch (error) {
      if (errorKind(error) === 'access-denied') {
        const fault = 'does not take the user and the password';
        throw new EventStoreMisconfigured(`The event store at ${address.name} ${fault}`, { cause: error });
      }
      const fault = await findFault(address);
      if (fault !== undefined) {
        throw new EventStoreMisconfigured(`The event store at ${address.name}: ${fault}`, { cause: error });
      }
      if (!isTransient(error)) throw error;
      const reason = `The event store at ${address.name} does not answer: ${wordsOf(error)}`;
      if (performance.now() - began >= waitMs) throw new EventStoreUnavailable(reason, { cause: error });
      if (performance.now() - saidAt >= SAY_MS) {
        saidAt = performance.now();
        onWaiting(reason);
      }
      await delay(Math.min(PAUSE_MS, waitMs));
    }
  }
}
