import { closeSync, fstatSync, openSync } from 'node:fs';
import { LogDamaged } from '../event-store-errors.js';

/** What LMDB says of a file that is not as it was written: see lmdb.h. */
const DAMAGED = new Set(['MDB_PAGE_NOTFOUND', 'MDB_CORRUPTED', 'MDB_INVALID']);

/** What is known of damage to a log that is open: what was found first, and what that makes of later errors. */
export class LogDamage {
  #first: LogDamaged | undefined;
  /** Of the file that is open, whatever bears its name now. */
  #descriptor: number | undefined;

  /** `onDamage`: told what is found first. `file`: what must be there as long as the log is open, for who writes it. */
  constructor(
    private readonly onDamage: (damage: LogDamaged) => void,
    file?: string,
  ) {
    if (file === undefined) return;
    const descriptor = openSync(file, 'r');
    // There are file systems that count no names of files: none has any there.
    if (fstatSync(descriptor).nlink > 0) this.#descriptor = descriptor;
    else closeSync(descriptor);
  }

  /** What was found first of all that is not as it was written. */
  get first(): LogDamaged | undefined {
    return this.#first ?? this.#findDeleted();
  }

  /** Throws where the file was deleted: it goes on for who has it open, and is gone with them. */
  checkFile(): void {
    const deleted = this.#findDeleted();
    if (deleted !== undefined) throw deleted;
  }

  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }

  /** Remembers what an error of LMDB tells of damage, and answers it; undefined where it tells of something else. */
  note(error: unknown): LogDamaged | undefined {
    return this.#isDamage(error) ? this.#keep(damageOf(error)) : undefined;
  }

  /** As `note`, for an error of who reads something: `what` that is. */
  noteReading(what: string, error: unknown): LogDamaged | undefined {
    if (!(error instanceof LogDamaged) && !this.#isDamage(error)) return undefined;
    return this.#keep(new LogDamaged(`${what} cannot be read: ${findingOf(error)}`, { cause: error }));
  }

  #findDeleted(): LogDamaged | undefined {
    if (this.#descriptor === undefined || fstatSync(this.#descriptor).nlink > 0) return undefined;
    return this.#keep(new LogDamaged('its file was deleted while the server runs'));
  }

  #keep(damage: LogDamaged): LogDamaged {
    if (this.#first === undefined) {
      this.#first = damage;
      this.onDamage(damage);
    }
    return damage;
  }

  /** Once something is damaged, LMDB refuses other things with other words. */
  #isDamage(error: unknown): boolean {
    return isDamage(error) || (this.#first !== undefined && error instanceof Error && error.message.startsWith('MDB_'));
  }
}

/** Opens something, naming what LMDB finds damaged in it. */
export function orDamaged<T>(open: () => T): T {
  try {
    return open();
  } catch (error) {
    throw isDamage(error) ? damageOf(error) : error;
  }
}

function isDamage(error: unknown): boolean {
  return error instanceof Error && DAMAGED.has(error.message.split(':', 1)[0]!);
}

function findingOf(error: unknown): string {
  if (!(error instanceof LogDamaged)) return (error as Error).message;
  return error.cause instanceof Error ? error.cause.message : error.finding;
}

function damageOf(error: unknown): LogDamaged {
  return new LogDamaged((error as Error).message, { cause: error });
}
