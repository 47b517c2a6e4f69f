import { administrateStopped } from '#accounts/administration/stopped-server';
import { listLoggedAccounts } from '#accounts/administration/list-logged-accounts';
import type { UserAdministration } from '#accounts/administration/user-administration';
import { Erasures } from '#admin/erasures/erasures';
import { ErasuresAgain } from '#admin/erasures/erasures-again';
import type { RateLimitOverridden, Restriction } from '#accounts/facts/account-facts';
import type { ListedAccount } from '#accounts/queries/list-accounts';
import type { EventStore } from '#event-store/event-store';
import type { KeyedNames } from '#event-store/keyed-names';
import { systemClock } from '#kernel/clock';
import type { ServerName, UserId } from '#kernel/ids';
import type { ControlClient } from '#projections/control-client';
import { CliFailure, EXIT, type ExitCode } from '../failure.js';
import type { Installation } from '../installation.js';
import { administrate } from '../administrate.js';
import { callServer } from '../projections/remote-projections.js';
import type { Terminal } from '../terminal/terminal.js';
import { table } from '../terminal/table.js';
import { moment } from '../terminal/units.js';
import type { ChosenPassword } from './read-password.js';

/** What can be done to users: by the running server, or upon the log of a stopped one. */
type Administration = Pick<
  UserAdministration,
  'create' | 'resetPassword' | 'deactivate' | 'setAdmin' | 'restrict' | 'setRateLimit'
>;

/** `users create NAME`. A name that is taken is no error: who sets up a server may do it again. Nothing is changed then. */
export async function createUser(
  installation: Installation,
  terminal: Terminal,
  name: string,
  chosen: ChosenPassword,
  admin: boolean,
): Promise<ExitCode> {
  const userId = await administrateUsers(installation, (users) => users.create(name, chosen.password, admin)).catch(
    (error: unknown) => {
      if (error instanceof CliFailure && error.errcode === 'M_USER_IN_USE') return undefined;
      throw error;
    },
  );
  if (userId === undefined) {
    await terminal.line(`${name}: User ID already taken; nothing was changed`);
    return EXIT.ok;
  }
  await terminal.line(`${userId} has an account${admin ? ' and administers this server' : ''}`);
  await showOnce(terminal, chosen);
  return EXIT.ok;
}

/** `users reset-password NAME`. */
export async function resetPassword(
  installation: Installation,
  terminal: Terminal,
  name: string,
  chosen: ChosenPassword,
  keepSessions: boolean,
): Promise<ExitCode> {
  const userId = await administrateUsers(installation, (users) =>
    users.resetPassword(name, chosen.password, keepSessions),
  );
  await terminal.line(
    `${userId} has a new password; ${keepSessions ? 'the sessions go on' : 'all sessions have ended'}`,
  );
  await showOnce(terminal, chosen);
  return EXIT.ok;
}

/** `users deactivate NAME`. */
export async function deactivateUser(
  installation: Installation,
  terminal: Terminal,
  name: string,
  erase: boolean,
): Promise<ExitCode> {
  const [userId, isRunning] = await administrateUsers(installation, async (users, running) => [
    await users.deactivate(name, erase),
    running,
  ]);
  await terminal.line(
    `${userId} is deactivated${erase ? '; what was kept of them and what they uploaded goes for ever' : ''}`,
  );
  if (!isRunning) terminal.note('the server is not running: the user leaves their rooms once it does');
  return EXIT.ok;
}

/** `users reopen NAME`. What follows from how an account was closed is done by a running server alone, and has to be done before. */
export async function reopenUser(
  installation: Installation,
  terminal: Terminal,
  name: string,
  chosen: ChosenPassword | undefined,
): Promise<ExitCode> {
  const client = await installation.connect();
  if (client === undefined) throw new CliFailure('the server is not running: accounts are opened again while it does');
  try {
    const request = { name, password: chosen?.password };
    const { userId, wasClosed } = await callServer<Awaited<ReturnType<UserAdministration['reopen']>>>(
      client,
      'users.reopen',
      request,
    );
    if (!wasClosed) {
      await terminal.line(`${userId} is not deactivated; nothing was changed`);
      return EXIT.ok;
    }
    await terminal.line(`${userId} has an account again; what had gone with it stays gone`);
    if (chosen !== undefined) await showOnce(terminal, chosen);
    return EXIT.ok;
  } finally {
    client.close();
  }
}

/** `users make-admin NAME`, with `--revoke` the other way. */
export async function setAdmin(
  installation: Installation,
  terminal: Terminal,
  name: string,
  admin: boolean,
): Promise<ExitCode> {
  const userId = await administrateUsers(installation, (users) => users.setAdmin(name, admin));
  await terminal.line(`${userId} ${admin ? 'administers this server' : 'no longer administers this server'}`);
  return EXIT.ok;
}

const TOLD = {
  locked: ['locked: nobody can use the account; its sessions stay', 'no longer locked'],
  suspended: ['suspended: the account is only to read with', 'no longer suspended'],
} as const;

/** `users lock NAME` and `users suspend NAME`, with `--lift` the other way. */
export async function restrictUser(
  installation: Installation,
  terminal: Terminal,
  name: string,
  restriction: Restriction,
  isOn: boolean,
): Promise<ExitCode> {
  const userId = await administrateUsers(installation, (users) => users.restrict(name, restriction, isOn));
  await terminal.line(`${userId} is ${TOLD[restriction][isOn ? 0 : 1]}`);
  return EXIT.ok;
}

/** `users rate-limit NAME`. */
export async function setRateLimit(
  installation: Installation,
  terminal: Terminal,
  name: string,
  limit: RateLimitOverridden | undefined,
): Promise<ExitCode> {
  const userId = await administrateUsers(installation, (users) => users.setRateLimit(name, limit));
  const { per_second: perSecond, burst } = limit ?? {};
  const may = perSecond === 0 ? 'as much as they like' : `${perSecond} requests a second, and ${burst} at once`;
  await terminal.line(`${userId} may ask for ${limit === undefined ? 'as much as everybody' : may}`);
  return EXIT.ok;
}

/** `users list`. */
export async function listUsers(
  installation: Installation,
  terminal: Terminal,
  { json }: { readonly json: boolean },
): Promise<ExitCode> {
  const client = await installation.connect();
  if (client !== undefined) {
    try {
      await printUsers(terminal, pagesOf(client), json);
    } finally {
      client.close();
    }
    return EXIT.ok;
  }
  const store = await installation.openLogToRead();
  try {
    await printUsers(terminal, onePage(listLoggedAccounts(store)), json);
  } finally {
    await store.close();
  }
  return EXIT.ok;
}

async function showOnce(terminal: Terminal, { password, isGenerated }: ChosenPassword): Promise<void> {
  if (isGenerated) await terminal.line(`password (shown this once): ${password}`);
}

function administrateUsers<T>(
  installation: Installation,
  work: (users: Administration, isRunning: boolean) => Promise<T>,
): Promise<T> {
  const { config } = installation;
  const stopped = (store: EventStore, _: ServerName, names: KeyedNames): Administration =>
    administrateStopped(store, config, names, new ErasuresAgain(new Erasures(store, systemClock), config));
  return administrate(installation, { remote: remoteUsers, stopped }, work);
}

function remoteUsers(client: ControlClient): Administration {
  const call = (method: string, parameters: object): Promise<UserId> =>
    callServer(client, `users.${method}`, parameters);
  return {
    create: (name, password, admin) => call('create', { name, password, admin }),
    resetPassword: (name, password, keepSessions) => call('reset-password', { name, password, keepSessions }),
    deactivate: (name, erase) => call('deactivate', { name, erase }),
    setAdmin: (name, admin) => call('set-admin', { name, admin }),
    restrict: (name, restriction, isOn) => call('restrict', { name, restriction, isOn }),
    setRateLimit: (name, limit) => call('set-rate-limit', { name, perSecond: limit?.per_second, burst: limit?.burst }),
  };
}

async function* pagesOf(client: ControlClient): AsyncGenerator<ListedAccount[]> {
  let after: UserId | undefined;
  for (;;) {
    const page = await callServer<ListedAccount[]>(client, 'users.list', {
      after,
    });
    if (page.length === 0) return;
    yield page;
    after = page.at(-1)?.user_id;
  }
}

const PAGE = 1000;

async function* onePage(accounts: AsyncIterable<ListedAccount>): AsyncGenerator<ListedAccount[]> {
  let page: ListedAccount[] = [];
  for await (const account of accounts) {
    page.push(account);
    if (page.length === PAGE) {
      yield page;
      page = [];
    }
  }
  yield page;
}

const HEAD = ['USER', 'SINCE', 'BY', 'STATE'];

async function printUsers(terminal: Terminal, pages: AsyncIterable<ListedAccount[]>, json: boolean): Promise<void> {
  let isFirst = true;
  for await (const page of pages) {
    const [head = '', ...lines] = table(HEAD, page.map(rowOf));
    if (!json && isFirst) await terminal.line(head);
    isFirst = false;
    for (const line of json ? page.map((account) => JSON.stringify(account)) : lines) await terminal.line(line);
  }
}

function rowOf(account: ListedAccount): string[] {
  const { user_id: userId, created_ts: created, via, admin, deactivated, erased, locked, suspended } = account;
  const states = { administrator: admin, deactivated, erased, locked, suspended };
  const state = Object.entries(states).flatMap(([name, is]) => (is === true ? [name] : []));
  return [userId, moment(created), via, state.join(', ')];
}
