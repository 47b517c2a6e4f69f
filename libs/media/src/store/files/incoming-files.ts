import { createHash, randomUUID } from 'node:crypto';
import { copyFile, type FileHandle, link, mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type ContentHash, ContentTooLarge } from '../media-store.js';
import { MediaDisk } from './media-disk.js';

/** For nobody else to read. */
const FOLDER = { recursive: true, mode: 0o700 } as const;
const FILE_MODE = 0o600;

/** A file that is whole and on the disk, and has no place yet. */
export interface IncomingFile {
  readonly path: string;
  readonly hash: ContentHash;
  readonly bytes: number;
}

/** Files that are being received: each has a name of its own in one folder. */
export class IncomingFiles {
  constructor(
    private readonly folder: string,
    private readonly disk = new MediaDisk(),
  ) {}

  /** Throws ContentTooLarge, StoreUnavailable, or what the source throws: then nothing of it is left. */
  async receive(source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>, maxBytes: number): Promise<IncomingFile> {
    const path = await this.#newPath();
    try {
      return { path, ...(await this.#writeWhole(path, source, maxBytes)) };
    } catch (error) {
      await rm(path, { force: true });
      throw error;
    }
  }

  /** Another name for a file that was received; where the disk has one for each alone, a copy of it. */
  async copy(path: string): Promise<string> {
    const other = await this.#newPath();
    await this.disk.use('write', linkOrCopy(path, other));
    return other;
  }

  /** Lets go of all, or of what nothing came for so long. */
  async discard(untouchedMs: number): Promise<void> {
    if (untouchedMs === 0) return rm(this.folder, { recursive: true, force: true });
    // By the clock of the disk, which several machines may share.
    const probe = await this.#newPath();
    await (await open(probe, 'wx', FILE_MODE)).close();
    const { mtimeMs: now } = await stat(probe);
    await rm(probe);
    for (const name of await readdir(this.folder)) {
      const left = await stat(join(this.folder, name)).catch(() => undefined); // somebody else was first
      if (left !== undefined && now - left.mtimeMs > untouchedMs) await rm(join(this.folder, name), { force: true });
    }
  }

  async #newPath(): Promise<string> {
    await this.disk.use('write', mkdir(this.folder, FOLDER));
    return join(this.folder, randomUUID());
  }

  async #writeWhole(
    path: string,
    source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    maxBytes: number,
  ): Promise<{ hash: ContentHash; bytes: number }> {
    const file = await this.disk.use('write', open(path, 'wx', FILE_MODE));
    try {
      const hash = createHash('sha256');
      let bytes = 0;
      for await (const piece of source) {
        bytes += piece.length;
        if (bytes > maxBytes) throw new ContentTooLarge(maxBytes);
        hash.update(piece);
        await this.disk.use('write', writePiece(file, piece));
      }
      await this.disk.use('write', file.datasync());
      this.disk.noteWritten();
      return { hash: hash.digest('hex') as ContentHash, bytes };
    } finally {
      await file.close();
    }
  }
}

async function linkOrCopy(path: string, other: string): Promise<void> {
  try {
    await link(path, other);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw error;
    await copyFile(path, other);
    const file = await open(other, 'r+');
    await file.datasync().finally(() => file.close());
  }
}

/** A full disk may take a part of it before it says so. */
async function writePiece(file: FileHandle, piece: Uint8Array): Promise<void> {
  for (let from = 0; from < piece.length;) from += (await file.write(piece, from)).bytesWritten;
}
