import type { Config } from '#config/config';
import { ConfigError } from '#config/config-error';
import type { EventStore } from '#event-store/event-store';
import { findLogIdentity } from '#event-store/log-identity';
import { checkServerName } from '#homeserver/open-own-log';
import { CliFailure, EXIT } from './failure.js';

/**
 * Throws CliFailure where a server is named that the log is not of. Where none is named a command takes the log for what it
 * says it is.
 */
export async function checkOwner(store: Pick<EventStore, 'readStream'>, config: Config): Promise<void> {
  if (config.isServerNameDefault) return;
  const identity = await findLogIdentity(store);
  if (identity === undefined) return;
  try {
    checkServerName(identity, config);
  } catch (error) {
    if (error instanceof ConfigError) throw new CliFailure(error.message, EXIT.config);
    throw error;
  }
}
