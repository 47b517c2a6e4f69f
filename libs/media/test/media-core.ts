import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { BY_SERVER } from '#accounts/accounts';
import { accountDataProjector } from '#accounts/projections/account-data.projector';
import { profilesProjector } from '#accounts/projections/profiles.projector';
import { loadConfig } from '#config/config';
import type { EventStore } from '#event-store/event-store';
import { systemClock } from '#kernel/clock';
import type { DeviceId, ServerName, UserId } from '#kernel/ids';
import type { Requester } from '#kernel/requester';
import type { Effect } from '#projections/effects/effect';
import type { Listener } from '#projections/listener';
import { ProjectionRuntime } from '#projections/projection-runtime';
import type { Views } from '#projections/views';
import { createRoomFactReader } from '#rooms/projections/room-fact-reader';
import { type Disk, MortalStores } from '#testing/mortal-stores';
import { CreateMedia, CreateMediaHandler } from '../src/commands/create-media.js';
import { DeleteMedia, DeleteMediaHandler } from '../src/commands/delete-media.js';
import {
  ContentLog,
  QuarantineContent,
  QuarantineContentHandler,
  ReleaseContent,
  ReleaseContentHandler,
} from '../src/commands/quarantine-content.js';
import { UploadMedia, UploadMediaHandler } from '../src/commands/upload-media.js';
import { FreedContent } from '../src/freed-content.effect.js';
import { KeptContent } from '../src/kept-content.js';
import { MediaFinder } from '../src/media-finder.js';
import type { MediaId, MediaRef } from '../src/media-id.js';
import { MediaLog } from '../src/media-log.js';
import { isHere, MEDIA, type MediaHere } from '../src/projections/media.projector.js';
import { mediaProjectors } from '../src/projections/media-projectors.js';
import type { RemoteMedia } from '../src/remote-media.js';
import { CacheRoom } from '../src/remote/cache-room.js';
import { MediaFetcher } from '../src/remote/media-fetcher.js';
import { RemoteCache } from '../src/remote/remote-cache.js';
import { SeenMedia } from '../src/seen-media.js';
import { FileMediaStore } from '../src/store/files/file-media-store.js';
import type { ContentHash, MediaStore, ReceivedContent } from '../src/store/media-store.js';
import { MediaArrivals } from '../src/uploads/media-arrivals.js';
import { UploadLimits } from '../src/uploads/upload-limits.js';

export const ALICE: Requester = {
  userId: '@alice:a.example' as UserId,
  deviceId: 'D' as DeviceId,
  isAdmin: false,
  requestId: 'r',
};

export const theirs = (id: string, server = 'b.example'): MediaRef => ({
  server: server as ServerName,
  mediaId: id as MediaId,
});

export async function* piecesOf(...texts: string[]): AsyncGenerator<Buffer, void> {
  for (const one of texts) yield Buffer.from(one);
}

/** The names of all files in a part of a store of content. */
export function filesIn(folder: string, part: string): string[] {
  try {
    const entries = readdirSync(join(folder, part), { recursive: true, withFileTypes: true });
    return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
  } catch {
    return [];
  }
}

/** A store of content of a process that ends after so many steps. */
class MortalFiles extends FileMediaStore {
  constructor(
    folder: string,
    private readonly life: MortalStores,
  ) {
    super(folder);
  }

  override async receive(...given: Parameters<MediaStore['receive']>): Promise<ReceivedContent> {
    const received = await this.life.live(() => super.receive(...given), 'content received');
    return {
      ...received,
      keep: () => this.life.live(() => received.keep(), 'content kept'),
      discard: () => this.life.live(() => received.discard()),
    };
  }

  override delete(hash: ContentHash): Promise<boolean> {
    return this.life.live(() => super.delete(hash), 'content freed');
  }
}

export interface CoreOptions {
  readonly disk: Disk;
  /** Of the content. */
  readonly folder: string;
  /** Other servers; without that they have what `texts` says. */
  readonly remote?: RemoteMedia;
  readonly settings?: Readonly<Record<string, string>>;
  /** Makes one more listener of the projections, which have not begun by then. */
  readonly follow?: (parts: FollowedParts) => Listener;
}

export interface FollowedParts {
  readonly log: MediaLog;
  readonly kept: KeptContent;
  readonly store: EventStore;
  readonly views: Views;
}

/** All of media but its doors, over stores that may end at any step, with a clock that a test moves. */
export async function startMediaCore({ disk, folder, remote, settings, follow }: CoreOptions) {
  /** What other servers have, by the ID of the medium, and which they were asked for. */
  const [texts, asked] = [new Map<string, string>(), [] as string[]];
  const time = { laterMs: 0 };
  const clock = {
    now: () => systemClock.now() + time.laterMs,
    elapsed: () => systemClock.elapsed() + time.laterMs,
  };
  const others: RemoteMedia = remote ?? {
    fetch({ mediaId }, _, take) {
      asked.push(mediaId);
      return take({ body: piecesOf(texts.get(mediaId) ?? ''), type: 'text/plain' });
    },
  };
  const config = loadConfig({ ANNALS_SERVER_NAME: 'a.example', ...settings });
  const life = new MortalStores(disk);
  const { store, readModels } = life;
  const followers = { listeners: [] as Listener[], effects: [] as Effect[] };
  const views = new ProjectionRuntime({
    store,
    readModels,
    projectors: [...mediaProjectors(createRoomFactReader()), profilesProjector, accountDataProjector],
    ...followers,
    clock,
  });
  const files = new MortalFiles(folder, life);
  const log = new MediaLog(store, clock, views);
  const contentLog = new ContentLog(store, clock, views);
  const kept = new KeptContent(files, store, views);
  const room = new CacheRoom(log, kept, views, config);
  const cache = new RemoteCache(new MediaFetcher(log, kept, files, config, others), room, kept, clock);
  const arrivals = new MediaArrivals(new AbortController().signal, views, clock);
  const finder = new MediaFinder(arrivals, cache, kept, new SeenMedia(log, clock), views, config);
  const limits = new UploadLimits(config, views);
  const uploads = new UploadMediaHandler(log, kept, limits, files, clock, config);
  followers.effects.push(new FreedContent(log, kept));
  followers.listeners.push(arrivals);
  if (follow !== undefined) followers.listeners.push(follow({ log, kept, store, views }));
  await files.discardLeftovers();
  await views.start();
  const find = (media: MediaRef, timeoutMs = 0, remoteFor = ALICE.userId) =>
    finder.find(media, { timeoutMs, remoteFor });
  return {
    life,
    views,
    files,
    log,
    kept,
    room,
    texts,
    asked,
    time,
    find,
    upload: (content: string, reserved?: MediaRef): Promise<MediaRef> => {
      const sent = { stream: piecesOf(content), bytes: undefined, type: undefined, name: undefined };
      return uploads.execute(new UploadMedia(ALICE, sent, reserved));
    },
    create: async (): Promise<MediaRef> => {
      const creations = new CreateMediaHandler(log, views, clock, config);
      return (await creations.execute(new CreateMedia(ALICE))).media;
    },
    remove: (media: MediaRef) => new DeleteMediaHandler(log).execute(new DeleteMedia(BY_SERVER, media)),
    quarantine: (hash: ContentHash) =>
      new QuarantineContentHandler(contentLog).execute(new QuarantineContent(BY_SERVER, hash)),
    release: (hash: ContentHash) => new ReleaseContentHandler(contentLog).execute(new ReleaseContent(BY_SERVER, hash)),
    /** What of a medium is in the views; undefined where its content is not here. */
    here: async ({ server, mediaId }: MediaRef): Promise<MediaHere | undefined> => {
      const row = await MEDIA.get(views, [server, mediaId]);
      return isHere(row) ? row : undefined;
    },
    read: async (hash: ContentHash): Promise<string | undefined> => {
      const opened = await files.open(hash);
      return opened && text(opened.stream);
    },
  };
}

export type MediaCore = Awaited<ReturnType<typeof startMediaCore>>;
