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
const PORT = 2113;

/** Reads a connection string. Throws EventStoreMisconfigured. */
export function parseServerAddress(url: string): ServerAddress {
  const { scheme, discover, hosts = '', query = '' } = FORM.exec(url)?.groups ?? {};
  const name = url.replace(/\/\/[^@/]*@/, '//');
  if (scheme === undefined) throw new EventStoreMisconfigured(`${name} is no address of an event store`);
  const names = hosts.split(',');
  if (discover !== undefined && names.length > 1) {
    const list = `kurrentdb://${hosts}`;
    throw new EventStoreMisconfigured(
      `The event store ${name} would be looked for at its first host alone: with several, write ${list}`,
    );
  }
  const parameters = new URLSearchParams(query.toLowerCase());
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
 * The connection string with a short time for asking a node about the others. The part of the library that is written in
 * JavaScript takes seconds, the native part milliseconds: a client is for one of them.
 */
export function withQuickGossip(url: string, part: 'javascript' | 'native'): string {
  if (/[?&]gossipTimeout=/i.test(url)) return url;
  const timeout = part === 'javascript' ? GOSSIP_TIMEOUT_SECONDS : GOSSIP_TIMEOUT_SECONDS * 1000;
  return `${url}${url.includes('?') ? '&' : '?'}gossipTimeout=${timeout}`;
}
