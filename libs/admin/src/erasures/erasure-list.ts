import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isUserId, type UserId } from '#kernel/ids';
import { isJsonObject, type JsonObject } from '#kernel/json';
import { giveToOwner } from '#event-store/give-to-owner';
import { syncDirectory } from '#event-store/sync-directory';
import type { Erasure } from './erasures.js';

/** One line of the list of who was erased: by whose name and when, and nothing of what. */
export interface ListedErasure {
  readonly user_id: UserId;
  /** When it was ordered, in milliseconds since the epoch. */
  readonly at: number;
  /** As in `ErasureOrdered`. */
  readonly content?: true;
  readonly here?: true;
  readonly made?: number;
  readonly reopened?: number;
}

/** What the list is called. */
export const ERASURE_LIST_FILE = 'erasures.jsonl';

/**
 * Where a data folder, or a backup, has the list of who was erased. It is beside the log, so that it is there where a log of before takes the place
 * of the one that said so.
 */
export const erasureListIn = (folder: string): string => join(folder, ERASURE_LIST_FILE);

/** A list that cannot be read. */
export class ErasureListDamaged extends Error {
  constructor(path: string, line: number) {
    super(`${path}: line ${line} names no erasure: {"user_id": "@user:server", "at": milliseconds}`);
    this.name = 'ErasureListDamaged';
  }
}

/** What a list says; nothing where there is none. Throws ErasureListDamaged. */
export function readErasureList(path: string): ListedErasure[] {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, 'utf8').split('\n');
  return lines.flatMap((line, i) => {
    if (line.trim() === '') return [];
    const erasure = parseLine(line);
    if (erasure === undefined) throw new ErasureListDamaged(path, i + 1);
    return [erasure];
  });
}

/** Puts erasures behind those of a list, as far as it does not have them, durably. Answers how many. Throws ErasureListDamaged. */
export function addToErasureList(path: string, erasures: readonly ListedErasure[]): number {
  const known = readErasureList(path);
  const added = lackedBy(known, erasures);
  if (added.length === 0) return 0;
  const text = [...known, ...added].map((one) => `${formatErasure(one)}\n`).join('');
  const partial = `${path}.partial`;
  writeFileSync(partial, text, { mode: 0o600, flush: true });
  giveToOwner(partial);
  renameSync(partial, path);
  syncDirectory(dirname(path));
  return added.length;
}

/** A line of the list. */
export function formatErasure({ user_id, at, content, here, made, reopened }: ListedErasure): string {
  return JSON.stringify({ user_id, at, content, here, made, reopened });
}

/** What of some erasures is not among those that are known: of what was ordered twice of one account the last counts, and of two kinds both. */
export function lackedBy(known: readonly ListedErasure[], erasures: readonly ListedErasure[]): ListedErasure[] {
  const last = new Map<string, number>();
  for (const one of known) last.set(nameOf(one), Math.max(one.at, last.get(nameOf(one)) ?? 0));
  return erasures.filter((one) => {
    const isNew = one.at > (last.get(nameOf(one)) ?? 0);
    if (isNew) last.set(nameOf(one), one.at);
    return isNew;
  });
}

/** Of an erasure what a list says of it. */
export function listed({ user_id, at, content, here, made, reopened }: Erasure): ListedErasure {
  return {
    user_id,
    at,
    ...(content === undefined ? {} : { content }),
    ...(here === undefined ? {} : { here }),
    ...(made === undefined ? {} : { made }),
    ...(reopened === undefined ? {} : { reopened }),
  };
}

function nameOf({ user_id: userId, content, made, reopened }: ListedErasure): string {
  return `${content === true ? 'content' : 'account'} ${userId} ${made ?? ''} ${reopened ?? ''}`;
}

function parseLine(line: string): ListedErasure | undefined {
  const told = parseObject(line);
  const { user_id: userId, at, content, here, made, reopened } = told ?? {};
  if (typeof userId !== 'string' || !isUserId(userId) || typeof at !== 'number') return undefined;
  return {
    user_id: userId,
    at,
    ...(content === true ? { content } : {}),
    ...(here === true ? { here } : {}),
    ...(typeof made === 'number' ? { made } : {}),
    ...(typeof reopened === 'number' ? { reopened } : {}),
  };
}

function parseObject(line: string): JsonObject | undefined {
  try {
    const told: unknown = JSON.parse(line);
    return isJsonObject(told) ? told : undefined;
  } catch {
    return undefined;
  }
}
