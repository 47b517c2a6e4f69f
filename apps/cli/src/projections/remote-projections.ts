import type { CollectionChecksum } from '#projections/checksums';
import { type ControlClient, ControlRefusal } from '#projections/control-client';
import type { DeadLetter } from '#projections/dead-letters';
import type { ProjectionStatus } from '#projections/projection-status';
import type { RebuildOptions } from '#projections/rebuild-control';
import { CliFailure, EXIT } from '../failure.js';
import { messageOf } from '#kernel/message-of';

/** What can be asked of projections, running or not. */
export interface ProjectionsToRead {
  /** Why what is stored is not of the log at hand: then the next start throws it away. A running server has none such. */
  readonly foreign?: string | undefined;
  /** Those that the next start fills anew, for they lack what the log has forgotten. */
  readonly anew?: readonly string[];
  list(): Promise<ProjectionStatus[]>;
  status(name: string): Promise<ProjectionStatus>;
  deadLetters(name?: string): Promise<DeadLetter[]>;
  checksum(name: string): Promise<Record<string, CollectionChecksum>>;
}

/** What can be done with projections that something runs. */
export interface ProjectionsToSteer extends ProjectionsToRead {
  rebuild(name: string, options: RebuildOptions): Promise<void>;
  switch(name: string): Promise<void>;
  rollback(name: string): Promise<void>;
  pause(name: string, reason: string): Promise<void>;
  resume(name: string): Promise<void>;
  cancel(name: string): Promise<void>;
}

/** Calls a method of the running server. Throws CliFailure: refused (exit code 1) or gone (2). */
export async function callServer<T>(client: ControlClient, method: string, parameters: object = {}): Promise<T> {
  try {
    return (await client.call({ ...parameters, method })) as T; // What the server's method of that name answers.
  } catch (error) {
    if (error instanceof ControlRefusal) throw new CliFailure(error.message, EXIT.found, error.errcode);
    throw new CliFailure(`the server does not answer any more: ${messageOf(error)}`);
  }
}

/** The projections of a running server. */
export class RemoteProjections implements ProjectionsToSteer {
  constructor(private readonly client: ControlClient) {}

  list(): Promise<ProjectionStatus[]> {
    return this.#call('list');
  }

  status(name: string): Promise<ProjectionStatus> {
    return this.#call('status', { name });
  }

  deadLetters(name?: string): Promise<DeadLetter[]> {
    return this.#call('dead-letters', { name });
  }

  checksum(name: string): Promise<Record<string, CollectionChecksum>> {
    return this.#call('checksum', { name });
  }

  rebuild(name: string, options: RebuildOptions): Promise<void> {
    return this.#call('rebuild', { name, ...options });
  }

  switch(name: string): Promise<void> {
    return this.#call('switch', { name });
  }

  rollback(name: string): Promise<void> {
    return this.#call('rollback', { name });
  }

  pause(name: string, reason: string): Promise<void> {
    return this.#call('pause', { name, reason });
  }

  resume(name: string): Promise<void> {
    return this.#call('resume', { name });
  }

  cancel(name: string): Promise<void> {
    return this.#call('cancel', { name });
  }

  #call<T>(method: string, parameters?: object): Promise<T> {
    return callServer(this.client, `projections.${method}`, parameters);
  }
}
