import { isIP } from 'node:net';

/** A server name in its parts: specification, appendices, "Server Name". */
export interface ServerNameParts {
  /** A DNS name, or an IP address without brackets. */
  readonly host: string;
  readonly port: number | undefined;
  readonly isAddress: boolean;
}

const NAME = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/;
const MOST_PORT = 65_535;

/** Undefined where nothing can be connected to by this name: no such port, or what looks like an IP address and is none. */
export function splitServerName(name: string): ServerNameParts | undefined {
  const [, bracketed, plain, digits] = NAME.exec(name) ?? [];
  const host = bracketed ?? plain;
  const port = digits === undefined ? undefined : Number(digits);
  if (host === undefined || port === 0 || (port ?? 0) > MOST_PORT) return undefined;
  const version = isIP(host);
  if (bracketed === undefined ? version === 6 : version !== 6 || host.includes('%')) return undefined;
  return { host, port, isAddress: version !== 0 };
}
