import { setTimeout as delay } from 'node:timers/promises';
import { EventStoreMisconfigured, EventStoreUnavailable } from '../event-store-errors.js';
import { findFault } from './find-fault.js';
import type { ServerAddress } from './server-address.js';
import { errorKind, isTransient, wordsOf } from './transient.js';

export interface WaitOptions {
  readonly waitMs: number;
  /** Without it nobody hears what is waited for: then a host that is unknown is not waited for at all. */
  readonly onWaiting?: (reason: string) => void;
}

const PAUSE_MS = 500;
/** How often it is said that the server is still waited for. */
const SAY_MS = 30_000;
/** For how long the name of a server that starts beside this one may be unknown. */
const UNKNOWN_HOST_MS = 20_000;

/**
 * Tries until the server answers. Throws EventStoreMisconfigured as soon as it is known that it never will: another
 * certificate or password is needed, or another host, whose name may come late; EventStoreUnavailable when it has not come in
 * time.
 */
export async function waitForServer(
  address: ServerAddress,
  probe: () => Promise<void>,
  { waitMs, onWaiting }: WaitOptions,
): Promise<void> {
  const began = performance.now();
  const patienceMs = onWaiting === undefined ? 0 : Math.min(waitMs, UNKNOWN_HOST_MS);
  let said: { readonly at: number; readonly fault: string | undefined } | undefined;
  for (;;) {
    try {
      return await probe();
    } catch (error) {
      if (errorKind(error) === 'access-denied') {
        const fault = 'does not take the user and the password';
        throw new EventStoreMisconfigured(`The event store at ${address.name} ${fault}`, { cause: error });
      }
      const fault = await findFault(address);
      const waitedMs = performance.now() - began;
      if (fault !== undefined && !(fault.mayPass && waitedMs < patienceMs)) {
        throw new EventStoreMisconfigured(`The event store at ${address.name}: ${fault.words}`, { cause: error });
      }
      if (!isTransient(error)) throw error;
      const reason = `The event store at ${address.name} does not answer: ${fault?.words ?? wordsOf(error)}`;
      if (waitedMs >= waitMs) throw new EventStoreUnavailable(reason, { cause: error });
      if (said === undefined || said.fault !== fault?.words || performance.now() - said.at >= SAY_MS) {
        said = { at: performance.now(), fault: fault?.words };
        onWaiting?.(reason);
      }
      await delay(Math.min(PAUSE_MS, waitMs));
    }
  }
}
