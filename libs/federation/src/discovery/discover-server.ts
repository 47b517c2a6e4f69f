import type { HostAndPort, ServerPlace } from '#http/outgoing/guarded-connector';
import type { ServerName } from '#kernel/ids';
import { type ServerNameParts, splitServerName } from './split-server-name.js';

/** Where requests to a server go. */
export interface FoundServer {
  readonly place: ServerPlace;
  /** The `Host` header of requests. */
  readonly host: string;
}

/** One of the steps of the specification, by its number there, and what came of it. */
export interface DiscoveryStep {
  readonly step: string;
  readonly outcome: string;
}

/** How a server was found, step by step; without `found` it was not, for the reason in the last step. */
export interface Discovered {
  readonly steps: readonly DiscoveryStep[];
  readonly found: FoundServer | undefined;
}

/** What is asked of the network. Neither ever throws. */
export interface DiscoverySources {
  wellKnown(host: string): Promise<{ readonly delegated: ServerName | undefined; readonly outcome: string }>;
  /** In the order in which they are to be tried. An empty list: there are none; `isRefused`: they say that there is no such service. */
  srv(
    name: string,
  ): Promise<{ readonly at: readonly HostAndPort[]; readonly isRefused: boolean; readonly outcome: string }>;
}

const DEFAULT_PORT = 8448;
/** The services by which SRV records are looked up; the second is deprecated. */
const SERVICES = ['_matrix-fed._tcp', '_matrix._tcp'] as const;

/** Finds where a server is: server-server API, "Resolving server names", by its numbers. */
export async function discoverServer(server: ServerName, sources: DiscoverySources): Promise<Discovered> {
  const steps: DiscoveryStep[] = [];
  const note = (step: string, outcome: string): void => void steps.push({ step, outcome });
  const own = splitServerName(server);
  if (own === undefined) {
    note('1', `${server} is neither an address nor a name to which anything can be sent`);
    return { steps, found: undefined };
  }
  const direct = directly(server, own);
  if (direct !== undefined) {
    const [step, what] = own.isAddress ? ['1', 'an IP address'] : ['2', 'a name with a port'];
    note(step, `${server} is ${what}: ${textOf(direct.place.at)}`);
    return { steps, found: direct };
  }
  const { delegated, outcome } = await sources.wellKnown(own.host);
  note('3', outcome);
  const name = delegated ?? server;
  const parts = delegated === undefined ? own : splitServerName(delegated);
  // A source names no server that cannot be split; the numbers go on where there is no delegation.
  const numbers = delegated === undefined ? ['', '', '4', '5', '6'] : ['3.1', '3.2', '3.3', '3.4', '3.5'];
  if (parts === undefined) return { steps, found: undefined };
  const there = directly(name, parts);
  if (there !== undefined) {
    note(numbers[parts.isAddress ? 0 : 1] as string, `${name}: ${textOf(there.place.at)}`);
    return { steps, found: there };
  }
  for (const [index, service] of SERVICES.entries()) {
    const records = await sources.srv(`${service}.${parts.host}`);
    note(numbers[2 + index] as string, records.outcome);
    if (records.isRefused) return { steps, found: undefined };
    if (records.at.length > 0) return { steps, found: { place: { tlsName: parts.host, at: records.at }, host: name } };
  }
  const at = [{ host: parts.host, port: DEFAULT_PORT }];
  note(numbers[4] as string, textOf(at));
  return { steps, found: { place: { tlsName: parts.host, at }, host: name } };
}

/** Where a name leads that needs no look-up of records. */
function directly(name: string, { host, port, isAddress }: ServerNameParts): FoundServer | undefined {
  if (!isAddress && port === undefined) return undefined;
  return { place: { tlsName: host, at: [{ host, port: port ?? DEFAULT_PORT }] }, host: name };
}

/** `host:port` of each place. */
export function textOf(at: readonly HostAndPort[]): string {
  return at.map(({ host, port }) => `${host.includes(':') ? `[${host}]` : host}:${port}`).join(', ');
}
