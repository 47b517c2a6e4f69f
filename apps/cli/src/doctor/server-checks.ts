import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '#config/config';
import { originOf } from '#config/listen-address';
import { findWriter } from '#event-store/lmdb/writer-lock';
import { messageOf } from '../failure.js';
import { CONTROL_SOCKET, type Installation } from '../installation.js';
import { type Check, fail, ok, warn } from './check.js';

const NAME = 'server';
const HEALTH_WITHIN_MS = 5000;

/** Whether the server runs, and which process has the right to write. */
export interface RunningState {
  readonly check: Check;
  readonly isRunning: boolean;
  readonly writer: number | undefined;
}

export async function lookAtServer({ config, connect }: Installation): Promise<RunningState> {
  const log = join(config.dataDir, 'log');
  const writer = config.eventStoreUrl === undefined && existsSync(log) ? await findWriter(log) : undefined;
  const process = writer === undefined ? '' : ` (process ${writer})`;
  try {
    const client = await connect();
    client?.close();
    if (client !== undefined) return { check: ok(NAME, `running${process}`), isRunning: true, writer };
  } catch (error) {
    return { check: fail(NAME, messageOf(error), 'run this as the user of the server'), isRunning: false, writer };
  }
  if (writer !== undefined) {
    const text = `not answering, but process ${writer} holds the log`;
    const advice = 'it may be starting: look again; else see what that process is';
    return { check: warn(NAME, text, advice), isRunning: false, writer };
  }
  const left = existsSync(join(config.dataDir, CONTROL_SOCKET)) ? ', and did not end cleanly the last time' : '';
  return { check: ok(NAME, `not running${left}`), isRunning: false, writer };
}

/** Asks the running server how it is, over HTTP as its clients reach it on this machine. */
export async function checkHealth({ listen }: Pick<Config, 'listen'>): Promise<Check> {
  const url = `${originOf(listen)}/health`;
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(HEALTH_WITHIN_MS) });
    const report = (await response.json()) as { readonly ok?: unknown; readonly errors?: readonly string[] };
    if (report.ok === true) return ok('health', `${url} says that all is well`);
    return fail('health', `${url}: ${(report.errors ?? []).join('; ')}`, 'see the log of the server');
  } catch (error) {
    const advice = 'is ANNALS_LISTEN the one the server was started with? Is something else on that port?';
    return fail('health', `${url}: ${messageOf(error)}`, advice);
  }
}
