import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { findWriter } from '#event-store/lmdb/writer-lock';
import { messageOf } from '#kernel/message-of';
import { callServer } from '../projections/remote-projections.js';
import { CONTROL_SOCKET, type Installation } from '../installation.js';
import { type Check, fail, ok, warn } from './check.js';

const NAME = 'server';
const HEALTH_WITHIN_MS = 5000;

/** Whether the server runs, and which process has the right to write. */
export interface RunningState {
  readonly check: Check;
  /** Where the running server says that it listens: an origin. */
  readonly address: string | undefined;
  readonly isRunning: boolean;
  readonly writer: number | undefined;
}

/** What is to be seen of a server on the data folder: that it writes there, that it answers at its socket. */
export async function lookAtServer({ config, connect }: Installation): Promise<RunningState> {
  const log = join(config.dataDir, 'log');
  const writer = config.eventStoreUrl === undefined && existsSync(log) ? await findWriter(log) : undefined;
  const process = writer === undefined ? '' : ` (process ${writer})`;
  try {
    const client = await connect();
    if (client !== undefined) {
      const address = await callServer<string>(client, 'server.address').finally(() => client.close());
      return {
        check: ok(NAME, `running${process}`),
        isRunning: true,
        address,
        writer,
      };
    }
  } catch (error) {
    const check = fail(
      NAME,
      messageOf(error),
      'run this as the user of the server; where it says nothing, see its log and start it anew',
    );
    return { check, isRunning: false, address: undefined, writer };
  }
  if (writer !== undefined) {
    const text = `not answering, but process ${writer} holds the log`;
    const advice = 'it may be starting: look again; else see what that process is';
    return {
      check: warn(NAME, text, advice),
      isRunning: false,
      address: undefined,
      writer,
    };
  }
  const left = existsSync(join(config.dataDir, CONTROL_SOCKET)) ? ', and did not end cleanly the last time' : '';
  return {
    check: ok(NAME, `not running${left}`),
    isRunning: false,
    address: undefined,
    writer,
  };
}

/** Asks the running server how it is, over HTTP where it says that it listens: the settings here may not be those it has. */
export async function checkHealth(address: string): Promise<Check> {
  const url = `${address}/health`;
  try {
    const response = await fetch(url, {
      signal: AbortSignal.timeout(HEALTH_WITHIN_MS),
    });
    const report = (await response.json()) as {
      readonly ok?: unknown;
      readonly errors?: readonly string[];
    };
    if (report.ok === true) return ok('health', `${url} says that all is well`);
    return fail('health', `${url}: ${(report.errors ?? []).join('; ')}`, 'see the log of the server');
  } catch (error) {
    return fail('health', `${url}: ${messageOf(error)}`, 'see the log of the server: it may be overloaded');
  }
}
