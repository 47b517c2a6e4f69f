import { type LookupAddress, lookup as systemLookup } from 'node:dns';
import { Resolver } from 'node:dns/promises';
import type { LookupFunction } from 'node:net';
import { messageOf } from '#kernel/message-of';
import { Slots } from '#kernel/slots';

/** What is asked for the addresses of a name. */
export interface NameSources {
  /** By name servers. They answer or throw as `dns.resolve4` and `dns.resolve6` do. */
  resolve4(name: string): Promise<readonly string[]>;
  resolve6(name: string): Promise<readonly string[]>;
  /** As the system does it, with its file of hosts and whatever else it knows. Answers or throws as `dns.lookup` does. */
  lookup(name: string): Promise<LookupAddress[]>;
}

const TRIES = { timeout: 3000, tries: 2 };
/** What name servers say of a name that they do not know, or that has no address of a kind; and that there are none. */
const UNKNOWN: ReadonlySet<unknown> = new Set(['ENOTFOUND', 'ENODATA', 'ECONNREFUSED']);

function systemSources(): NameSources {
  // The system looks names up on threads of this process, which are few, and does other things there.
  const slots = new Slots(1);
  const lookup = (name: string): Promise<LookupAddress[]> =>
    new Promise((resolve, reject) => {
      systemLookup(name, { all: true }, (error, found) => (error === null ? resolve(found) : reject(error)));
    });
  return {
    resolve4: (name) => new Resolver(TRIES).resolve4(name),
    resolve6: (name) => new Resolver(TRIES).resolve6(name),
    lookup: (name) => slots.run(() => lookup(name)),
  };
}

/**
 * The addresses of a name: from name servers, and where these do not know it, or it has no dot, from the system. Names of servers that
 * are gone are many, and some take long: by name servers any number of them can be looked up at once. Throws as `dns.lookup` does.
 */
async function findAddresses(name: string, sources: NameSources): Promise<LookupAddress[]> {
  if (!name.includes('.')) return sources.lookup(name);
  const [v6, v4] = await Promise.allSettled([sources.resolve6(name), sources.resolve4(name)]);
  const found = [
    ...(v6.status === 'fulfilled' ? v6.value : []).map((address) => ({ address, family: 6 })),
    ...(v4.status === 'fulfilled' ? v4.value : []).map((address) => ({ address, family: 4 })),
  ];
  if (found.length > 0) return found;
  for (const answer of [v4, v6]) {
    const error: unknown = answer.status === 'rejected' ? answer.reason : undefined;
    if (error !== undefined && !UNKNOWN.has((error as { code?: unknown }).code)) throw error;
  }
  return sources.lookup(name);
}

/** `findAddresses` as sockets ask for it. */
export function makeLookUp(sources: NameSources = systemSources()): LookupFunction {
  return (name, { all, family }, callback) => {
    findAddresses(name, sources).then(
      (found) => {
        const wanted = family === 4 || family === 6 ? found.filter((one) => one.family === family) : found;
        const first = wanted[0];
        if (first === undefined)
          callback(Object.assign(new Error(`${name} has no address`), { code: 'ENOTFOUND' }), []);
        else if (all === true) callback(null, wanted);
        else callback(null, first.address, first.family);
      },
      (error: unknown) => callback(error instanceof Error ? error : new Error(messageOf(error)), []),
    );
  };
}
