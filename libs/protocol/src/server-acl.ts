import type { JsonObject, JsonValue } from '#kernel/json';
import { compileGlob } from './glob.js';

/** Whether a server may take part in a room, by the content of the room's `m.room.server_acl`. */
export type ServerAcl = (serverName: string) => boolean;

/**
 * Whether a server may take part in a room: client-server API, "Server Access Control Lists (ACLs) for rooms". `content` is that of
 * the room's `m.room.server_acl`. What is no list counts as an empty one, and what is no text in a list is left out.
 */
export function isAllowedByAcl(content: JsonObject, serverName: string): boolean {
  return compileAcl(content)(serverName);
}

/** As `isAllowedByAcl`, for many servers. */
export function compileAcl(content: JsonObject): ServerAcl {
  const refusesLiterals = content['allow_ip_literals'] === false;
  const isDenied = compileList(content['deny']);
  const isAllowed = compileList(content['allow']);
  return (serverName) => {
    const host = hostOf(serverName).toLowerCase();
    if (refusesLiterals && isIpLiteral(host)) return false;
    return !isDenied(host) && isAllowed(host);
  };
}

function compileList(patterns: JsonValue | undefined): (host: string) => boolean {
  if (!Array.isArray(patterns)) return () => false;
  const texts = patterns.filter((pattern) => typeof pattern === 'string').map((pattern) => pattern.toLowerCase());
  // PERF: lists of thousands of names without any `*` are common.
  const names = new Set(texts);
  const globs = texts.filter((text) => /[*?]/.test(text)).map(compileGlob);
  return (host) => names.has(host) || globs.some((matches) => matches(host));
}

/** A server name without its port. */
function hostOf(serverName: string): string {
  return serverName.replace(/:\d*$/, '');
}

/** Whether a host is an address and no name (appendices, "Server Name"). */
function isIpLiteral(host: string): boolean {
  return host.startsWith('[') || /^\d{1,3}(?:\.\d{1,3}){3}$/.test(host);
}
