import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readFileSync, readSync, statSync, writeFileSync } from 'node:fs';
import { join, normalize } from 'node:path';
import { ERASURE_LIST_FILE } from '#admin/erasures/erasure-list';
import { parsePosition, type Position } from '#kernel/position';
import { isServerName, type ServerName } from '#kernel/ids';
import { CliFailure, EXIT } from '../failure.js';
import { messageOf } from '#kernel/message-of';

export const MANIFEST_FILE = 'manifest.json';
const FORMAT = 'annals backup 1';
const BLOCK = 1024 * 1024;

/** One file of a backup, by its path within it. */
export interface BackedUpFile {
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** What a backup says of itself. It is written last: without it there is no backup. */
export interface Manifest {
  readonly format: typeof FORMAT;
  readonly log_id: string;
  readonly server_name: ServerName;
  /** The position of the last fact in it. */
  readonly head: Position;
  /** When it was begun, in milliseconds since the epoch. */
  readonly made_at: number;
  /** What was found damaged in the log when it was copied. */
  readonly damage?: string;
  readonly files: readonly BackedUpFile[];
  /** How much content of media is beside them, each under its own sha256; undefined where it was left out. */
  readonly media?: { readonly files: number; readonly bytes: number };
}

/** Writes the manifest of a backup whose files are all there. */
export function writeManifest(
  directory: string,
  about: Omit<Manifest, 'format' | 'files'>,
  paths: readonly string[],
): Manifest {
  const manifest: Manifest = { format: FORMAT, ...about, files: paths.map((path) => describeFile(directory, path)) };
  writeFileSync(join(directory, MANIFEST_FILE), `${JSON.stringify(manifest, undefined, 2)}\n`, {
    mode: 0o600,
    flush: true,
  });
  return manifest;
}

/** Reads the manifest of a backup. Throws CliFailure where there is none, or none that this version can read. */
export function readManifest(directory: string): Manifest {
  const path = join(directory, MANIFEST_FILE);
  let manifest: unknown;
  try {
    manifest = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new CliFailure(`${directory} is no backup: ${path}: ${messageOf(error)}`);
  }
  if (!isManifest(manifest)) throw new CliFailure(`${path} is not the manifest of a backup that this version can read`);
  return manifest;
}

/** Throws CliFailure where a file is missing or is not as it was written. */
export function checkFiles(directory: string, { files }: Pick<Manifest, 'files'>): void {
  for (const { path, bytes, sha256 } of files) {
    let found: BackedUpFile;
    try {
      found = describeFile(directory, path);
    } catch (error) {
      throw new CliFailure(`the backup is not whole: ${messageOf(error)}`, EXIT.found);
    }
    if (found.bytes !== bytes || found.sha256 !== sha256) {
      throw new CliFailure(`the backup is damaged: ${join(directory, path)} is not what was written`, EXIT.found);
    }
  }
}

function describeFile(directory: string, path: string): BackedUpFile {
  const file = join(directory, path);
  const { size } = statSync(file);
  const hash = createHash('sha256');
  const block = Buffer.allocUnsafe(BLOCK);
  const descriptor = openSync(file, 'r');
  try {
    for (let read = readSync(descriptor, block); read > 0; read = readSync(descriptor, block)) {
      hash.update(block.subarray(0, read));
    }
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  return { path, bytes: size, sha256: hash.digest('hex') };
}

function isManifest(value: unknown): value is Manifest {
  if (typeof value !== 'object' || value === null) return false;
  const {
    format,
    log_id: logId,
    server_name: server,
    head,
    made_at: madeAt,
    damage,
    files,
  } = value as Record<string, unknown>;
  return (
    format === FORMAT &&
    typeof logId === 'string' &&
    typeof server === 'string' &&
    isServerName(server) &&
    typeof head === 'string' &&
    parsePosition(head) !== undefined &&
    typeof madeAt === 'number' &&
    (damage === undefined || typeof damage === 'string') &&
    Array.isArray(files) &&
    files.every(isBackedUpFile)
  );
}

/** Paths stay within the backup: the log, a key, or the list of who was erased, which the manifests of before do not name. */
function isBackedUpFile(value: unknown): value is BackedUpFile {
  if (typeof value !== 'object' || value === null) return false;
  const { path, bytes, sha256 } = value as Record<string, unknown>;
  return (
    typeof path === 'string' &&
    normalize(path) === path &&
    (/^(log|keys)\/[^/]+$/.test(path) || path === ERASURE_LIST_FILE) &&
    typeof bytes === 'number' &&
    typeof sha256 === 'string'
  );
}
