import { listLoggedTokens } from '#accounts/administration/list-logged-tokens';
import { administrateTokensStopped } from '#accounts/administration/stopped-server';
import type { TokenAdministration } from '#accounts/administration/token-administration';
import type { LimitChange, TokenLimits } from '#accounts/facts/registration-token-facts';
import type { ListedToken } from '#accounts/queries/registration-tokens';
import { systemClock } from '#kernel/clock';
import type { ControlClient } from '#projections/control-client';
import { administrate } from '../administrate.js';
import { EXIT, type ExitCode } from '../failure.js';
import type { Installation } from '../installation.js';
import { callServer } from '../projections/remote-projections.js';
import { table } from '../terminal/table.js';
import type { Terminal } from '../terminal/terminal.js';
import { moment } from '../terminal/units.js';

/** What can be done to tokens: by the running server, or upon the log of a stopped one. */
type Administration = Pick<TokenAdministration, 'create' | 'change' | 'revoke'>;

const HEAD = ['TOKEN', 'USED', 'OF', 'UNTIL', 'STATE'];

/** `registration-tokens list`. */
export async function listTokens(
  installation: Installation,
  terminal: Terminal,
  { json, onlyValid }: { readonly json: boolean; readonly onlyValid: boolean },
): Promise<ExitCode> {
  const all = await readTokens(installation);
  const tokens = all.filter(({ isValid }) => isValid || !onlyValid).map(told);
  const rows = tokens.map(({ token, completed, uses_allowed: uses, expiry_time: until, valid }) => [
    token,
    String(completed),
    uses === null ? 'any' : String(uses),
    until === null ? '' : moment(until),
    valid ? 'valid' : 'not valid',
  ]);
  const lines = json ? tokens.map((token) => JSON.stringify(token)) : table(HEAD, rows);
  for (const line of lines) await terminal.line(line);
  return EXIT.ok;
}

/** `registration-tokens create [TOKEN]`. */
export async function createToken(
  installation: Installation,
  terminal: Terminal,
  token: string | undefined,
  { uses, expiresAt }: { readonly uses?: number | undefined; readonly expiresAt?: number | undefined },
): Promise<ExitCode> {
  const limits = {
    ...(uses === undefined ? {} : { uses_allowed: uses }),
    ...(expiresAt === undefined ? {} : { expires_at: expiresAt }),
  };
  await terminal.line(await administrateTokens(installation, (tokens) => tokens.create(token, limits)));
  return EXIT.ok;
}

/** `registration-tokens update TOKEN`. */
export async function updateToken(
  installation: Installation,
  terminal: Terminal,
  name: string,
  change: LimitChange,
): Promise<ExitCode> {
  await administrateTokens(installation, (tokens) => tokens.change(name, change));
  await terminal.line(`${name} has the limits that were asked for`);
  return EXIT.ok;
}

/** `registration-tokens delete TOKEN`. */
export async function deleteToken(installation: Installation, terminal: Terminal, name: string): Promise<ExitCode> {
  await administrateTokens(installation, (tokens) => tokens.revoke(name));
  await terminal.line(`nobody registers by ${name} any more`);
  return EXIT.ok;
}

function administrateTokens<T>(installation: Installation, work: (tokens: Administration) => Promise<T>): Promise<T> {
  return administrate(installation, { remote: remoteTokens, stopped: administrateTokensStopped }, work);
}

function remoteTokens(client: ControlClient): Administration {
  const call = (method: string, parameters: object): Promise<string> =>
    callServer(client, `registration-tokens.${method}`, parameters);
  return {
    create: (token: string | undefined, limits: TokenLimits) => call('create', { token, limits }),
    change: (name, change) => call('change', { name, change }),
    revoke: (name) => call('revoke', { name }),
  };
}

async function readTokens(installation: Installation): Promise<ListedToken[]> {
  const client = await installation.connect();
  if (client !== undefined) {
    try {
      return await callServer(client, 'registration-tokens.list');
    } finally {
      client.close();
    }
  }
  const store = await installation.openLogToRead();
  try {
    return await listLoggedTokens(store, systemClock.now());
  } finally {
    await store.close();
  }
}

/** With the names that Matrix tools know. */
function told({ name, used, uses_allowed: uses, expires_at: expiry, isValid }: ListedToken) {
  return { token: name, uses_allowed: uses ?? null, completed: used, expiry_time: expiry ?? null, valid: isValid };
}
