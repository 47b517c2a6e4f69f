import type { Connection } from '#http/access-tokens';

/** No more of what a client calls itself is remembered. */
const MAX_USER_AGENT = 256;

/** By what a token was used last. */
interface LastConnection {
  ip: string | undefined;
  userAgent: string | undefined;
}

/** Notes by what a token is used. PERF: once for each request, so nothing is made anew but where it is another client. */
export function noteConnection(known: LastConnection, { ip, headers }: Connection): void {
  known.ip = ip;
  const agent = headers['user-agent'];
  if (agent === known.userAgent) return;
  known.userAgent = agent === undefined || agent.length <= MAX_USER_AGENT ? agent : beginningOf(agent);
}

/** A copy: a slice would keep all of it in memory. Headers are latin1. */
const beginningOf = (agent: string): string => Buffer.from(agent, 'latin1').toString('latin1', 0, MAX_USER_AGENT);
