import type { Agent, buildConnector, Dispatcher, Pool } from 'undici';

/** What requests of others need of undici. */
export interface Undici {
  readonly Agent: typeof Agent;
  readonly Pool: typeof Pool;
  readonly buildConnector: typeof buildConnector;
  readonly request: (this: Dispatcher, options: Dispatcher.RequestOptions) => Promise<Dispatcher.ResponseData>;
}

/**
 * PERF: loaded with the first request, which no start should wait for, and file by file: all of undici, most of which nothing here uses,
 * takes three times as much processor, in one turn of the event loop.
 */
export async function loadUndici(): Promise<Undici> {
  const { default: request } = await import('undici/lib/api/api-request.js');
  const { default: buildConnector } = await import('undici/lib/core/connect.js');
  const { default: Pool } = await import('undici/lib/dispatcher/pool.js');
  const { default: Agent } = await import('undici/lib/dispatcher/agent.js');
  return { Agent, Pool, buildConnector, request };
}
