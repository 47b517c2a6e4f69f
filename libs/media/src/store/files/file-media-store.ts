import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { OutageWatch } from '#kernel/outage';
import { contentPlace, derivedPlace } from '../content-places.js';
import {
  type ByteRange,
  type ContentHash,
  isContentHash,
  type MediaStore,
  type OpenContent,
  type ReceivedContent,
} from '../media-store.js';
import { IncomingFiles } from './incoming-files.js';
import { MediaDisk } from './media-disk.js';

/** For nobody else to read. */
const FOLDER = { recursive: true, mode: 0o700 } as const;

/**
 * Content in a folder of this process, or of all that share a log:
 *
 *     incoming/{uuid}               what is being received
 *     content/{2}/{2}/{hash}        what was kept
 *     derived/{2}/{2}/{hash}/{name} what was made of it
 *
 * A file gets its place by a rename once all of it is on the disk.
 */
export class FileMediaStore implements MediaStore {
  readonly #disk: MediaDisk;
  readonly #incoming: IncomingFiles;

  constructor(
    private readonly folder: string,
    watch?: OutageWatch,
  ) {
    this.#disk = new MediaDisk(watch);
    this.#incoming = new IncomingFiles(join(folder, 'incoming'), this.#disk);
  }

  async receive(source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>, maxBytes: number): Promise<ReceivedContent> {
    const { path, hash, bytes } = await this.#incoming.receive(source, maxBytes);
    return { hash, bytes, keep: () => this.#keep(path, hash, bytes), discard: () => rm(path, { force: true }) };
  }

  open(hash: ContentHash, range?: ByteRange): Promise<OpenContent | undefined> {
    return this.#disk.use('read', openFile(this.#contentPath(hash), range));
  }

  async sizeOf(hash: ContentHash): Promise<number | undefined> {
    return (await this.#disk.use('read', unlessAbsent(stat(this.#contentPath(hash)))))?.size;
  }

  delete(hash: ContentHash): Promise<boolean> {
    return this.#disk.use('write', this.#delete(hash));
  }

  async *list(): AsyncGenerator<ContentHash, void> {
    yield* this.#hashesIn('content');
    for await (const hash of this.#hashesIn('derived')) {
      // What was made of content that is gone is all there is of it.
      if ((await this.sizeOf(hash)) === undefined) yield hash;
    }
  }

  async keepDerived(hash: ContentHash, name: string, content: Uint8Array): Promise<void> {
    const to = this.#derivedPath(hash, name);
    const { path } = await this.#incoming.receive([content], content.length);
    await this.#disk.use('write', this.#move(path, to));
  }

  async sizeOfDerived(hash: ContentHash): Promise<number> {
    let bytes = 0;
    for (const name of await namesIn(this.#derivedFolder(hash))) {
      bytes += (await unlessAbsent(stat(this.#derivedPath(hash, name))))?.size ?? 0;
    }
    return bytes;
  }

  openDerived(hash: ContentHash, name: string): Promise<OpenContent | undefined> {
    return this.#disk.use('read', openFile(this.#derivedPath(hash, name)));
  }

  discardLeftovers(untouchedMs = 0): Promise<void> {
    return this.#disk.use('write', this.#incoming.discard(untouchedMs));
  }

  async #delete(hash: ContentHash): Promise<boolean> {
    // First what was made of it: nobody would find that without it.
    const derived = this.#derivedFolder(hash);
    const hadDerived = (await unlessAbsent(stat(derived))) !== undefined;
    if (hadDerived) await this.#remove(derived);
    const path = this.#contentPath(hash);
    if ((await unlessAbsent(stat(path))) === undefined) return hadDerived;
    await this.#remove(path);
    return true;
  }

  async *#hashesIn(top: string): AsyncGenerator<ContentHash, void> {
    const folder = join(this.folder, top);
    for (const first of await namesIn(folder)) {
      for (const second of await namesIn(join(folder, first))) {
        yield* (await namesIn(join(folder, first, second))).filter(isContentHash);
      }
    }
  }

  async #keep(from: string, hash: ContentHash, bytes: number): Promise<void> {
    // What a broken disk has shortened is not there.
    if ((await this.sizeOf(hash)) === bytes) return;
    const copy = await this.#incoming.copy(from);
    await this.#disk.use('write', this.#move(copy, this.#contentPath(hash)));
  }

  async #move(from: string, to: string): Promise<void> {
    try {
      await mkdir(dirname(to), FOLDER);
      await rename(from, to);
    } catch (error) {
      await rm(from, { force: true });
      throw error;
    }
    // The name is in the folder, and the folder in those above it: of each of them the disk has to know.
    for (let folder = dirname(to); folder.length >= this.folder.length; folder = dirname(folder)) await sync(folder);
  }

  async #remove(path: string): Promise<void> {
    await rm(path, { recursive: true, force: true });
    await sync(dirname(path));
  }

  #contentPath(hash: ContentHash): string {
    return join(this.folder, ...contentPlace(hash));
  }

  #derivedFolder(hash: ContentHash): string {
    return join(this.folder, ...derivedPlace(hash));
  }

  #derivedPath(hash: ContentHash, name: string): string {
    return join(this.folder, ...derivedPlace(hash, name));
  }
}

async function openFile(path: string, range?: ByteRange): Promise<OpenContent | undefined> {
  const file = await unlessAbsent(open(path, 'r'));
  if (file === undefined) return undefined;
  try {
    const { size: bytes } = await file.stat();
    const part = range === undefined ? {} : { start: range.first, end: range.last };
    return { bytes, stream: file.createReadStream(part) };
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function namesIn(folder: string): Promise<string[]> {
  return (await unlessAbsent(readdir(folder))) ?? [];
}

async function sync(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function unlessAbsent<T>(found: Promise<T>): Promise<T | undefined> {
  try {
    return await found;
  } catch (error) {
    // Where a folder should be may lie a file that somebody put there: of what it should hold there is nothing.
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}
