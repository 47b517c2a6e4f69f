import { EventStoreMisconfigured } from '../event-store-errors.js';

/** What a connection string says of where the server is and how to reach it. */
export interface ServerAddress {
  /** The string without its credentials: for people. */
  readonly name: string;
  readonly hosts: readonly { readonly host: string; readonly port: number }[];
  readonly tls: boolean;
  readonly verifyCertificate: boolean;
  readonly caFile: string | undefined;
}

const FORM = /^(?<scheme>[a-z]+(?<discover>\+discover)?):\/\/(?:[^@/]*@)?(?<hosts>[^/?@]+)\/?(?:\?(?<query>.*))?$/;
/** Up to the last `@`, for a password may hold what it should not. */
const CREDENTIALS = /\/\/.*@/;
const PORT = 2113;
/** The options that the library knows. It tells of another one with the whole address, password and all. */
const OPTIONS = new Set([
  'usercertfile',
  'userkeyfile',
  'maxdiscoverattempts',
  'connectionname',
  'defaultdeadline',
  'discoveryinterval',
  'gossiptimeout',
  'nodepreference',
  'tls',
  'tlsverifycert',
  'tlscafile',
  'keepaliveinterval',
  'keepalivetimeout',
]);

/** Reads a connection string. Throws EventStoreMisconfigured. */
export function parseServerAddress(url: string): ServerAddress {
  const { scheme, discover, hosts = '', query = '' } = FORM.exec(url)?.groups ?? {};
  // Without a scheme it may be anything.
  const name = url.includes('://') ? url.replace(CREDENTIALS, '//') : 'This';
  if (scheme === undefined) throw new EventStoreMisconfigured(`${name} is no address of an event store`);
  const names = hosts.split(',');
  if (discover !== undefined && names.length > 1) {
    const list = `kurrentdb://${hosts}`;
    throw new EventStoreMisconfigured(
      `The event store ${name} would be looked for at its first host alone: with several, write ${list}`,
    );
  }
  const parameters = new URLSearchParams(query.toLowerCase());
  for (const option of parameters.keys()) {
    if (!OPTIONS.has(option.replaceAll(/[_-]/g, ''))) {
      throw new EventStoreMisconfigured(`The event store ${name}: there is no option ${option}`);
    }
  }
  return {
    name,
    hosts: names.map(hostAndPort),
    tls: parameters.get('tls') !== 'false',
    verifyCertificate: parameters.get('tlsverifycert') !== 'false',
    caFile: new URLSearchParams(query).get('tlsCAFile') ?? undefined,
  };
}

function hostAndPort(text: string): { host: string; port: number } {
  const [, host = text, port] = /^(.*?)(?::(\d+))?$/.exec(text) ?? [];
  return { host: host.replace(/^\[|\]$/g, ''), port: port === undefined ? PORT : Number(port) };
}

/** So long a node may take to tell who leads, where the address does not say it: a dead one must not use up the patience. */
const GOSSIP_TIMEOUT_SECONDS = 1;

/**
 * The connection string for one part of the library. It has a short time for asking a node about the others: the part that is
 * written in JavaScript takes seconds, the native part milliseconds. Its preference for a node is dropped: what was just
 * written is read, and only the leader has it for sure.
 */
export function addressFor(part: 'javascript' | 'native', url: string): string {
  const leading = url.replace(/(?<=[?&])nodePreference=[^&]*&?/gi, '').replace(/[?&]$/, '');
  if (/[?&]gossipTimeout=/i.test(leading)) return leading;
  const timeout = part === 'javascript' ? GOSSIP_TIMEOUT_SECONDS : GOSSIP_TIMEOUT_SECONDS * 1000;
  return `${leading}${leading.includes('?') ? '&' : '?'}gossipTimeout=${timeout}`;
}
