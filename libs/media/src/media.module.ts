import { join } from 'node:path';
import { Global, Logger, Module } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { CONFIG, type Config } from '#config/config';
import { CreateMediaHandler } from './commands/create-media.js';
import { DeleteMediaHandler } from './commands/delete-media.js';
import { ContentLog, QuarantineContentHandler, ReleaseContentHandler } from './commands/quarantine-content.js';
import { UploadMediaHandler } from './commands/upload-media.js';
import { DownloadController, OpenDownloadController } from './doors/download.controller.js';
import { GiveContent } from './doors/give-content.js';
import { GiveThumbnail } from './doors/give-thumbnail.js';
import { OpenThumbnailController, ThumbnailController } from './doors/thumbnail.controller.js';
import { PreviewController } from './doors/preview.controller.js';
import { UploadController } from './doors/upload.controller.js';
import { MediaOfUser } from './media-of-user.js';
import { FreedContent } from './freed-content.effect.js';
import { KeptContent } from './kept-content.js';
import { MediaData } from './media-data.js';
import { MediaFinder } from './media-finder.js';
import { MEDIA_FOLDER } from './media-folder.js';
import { MediaLog } from './media-log.js';
import { Blurhashes } from './pictures/blurhashes.js';
import { Pictures } from './pictures/pictures.js';
import { PreviewImages } from './previews/preview-images.js';
import { Previews } from './previews/previews.js';
import { WebReader } from './previews/web-reader.js';
import { CacheRoom } from './remote/cache-room.js';
import { UnseenMedia } from './remote/unseen-media.js';
import { MediaFetcher } from './remote/media-fetcher.js';
import { RemoteCache } from './remote/remote-cache.js';
import { SeenMedia } from './seen-media.js';
import { FileMediaStore } from './store/files/file-media-store.js';
import { MEDIA_STORE, type MediaStore, StoreUnavailable } from './store/media-store.js';
import { Thumbnails } from './thumbnails/thumbnails.js';
import { UnshownMedia } from './unshown-media.js';
import { MediaArrivals } from './uploads/media-arrivals.js';
import { UploadLimits } from './uploads/upload-limits.js';

/** Longer than anybody takes to send the next piece of what they upload. */
const UNTOUCHED_MS = 60 * 60_000;

const store = {
  provide: MEDIA_STORE,
  inject: [CONFIG],
  useFactory: async (config: Config): Promise<MediaStore> => {
    const opened = await openStore(config);
    try {
      // Who has the log alone has the store alone.
      await opened.discardLeftovers(config.eventStoreUrl === undefined ? 0 : UNTOUCHED_MS);
    } catch (error) {
      // It may come back; the next start lets go of them.
      if (!(error instanceof StoreUnavailable)) throw error;
    }
    return opened;
  },
};

/** Throws ConfigError where the bucket is of another server. */
async function openStore({ dataDir, serverName, media }: Config): Promise<MediaStore> {
  const folder = join(dataDir, MEDIA_FOLDER);
  if (media.bucket === undefined) {
    const log = new Logger('media');
    return new FileMediaStore(folder, {
      onLost: (reason) => log.error(`the files of media cannot be used: ${reason}`),
      onBack: (lostMs) => log.log({ lostMs }, 'the files of media can be used again'),
    });
  }
  const { openBucket } = await import('./store/s3/open-bucket.js');
  return openBucket(media.bucket, join(folder, 'incoming'), serverName);
}

/** Media: uploads, downloads, and those of other servers. Global: other domains find media, and federation gives them to other servers. */
@Global()
@Module({
  imports: [CqrsModule],
  controllers: [
    UploadController,
    DownloadController,
    OpenDownloadController,
    ThumbnailController,
    OpenThumbnailController,
    PreviewController,
  ],
  providers: [
    store,
    MediaLog,
    ContentLog,
    KeptContent,
    MediaData,
    SeenMedia,
    UploadLimits,
    MediaArrivals,
    MediaFetcher,
    CacheRoom,
    UnseenMedia,
    RemoteCache,
    MediaFinder,
    GiveContent,
    Pictures,
    Blurhashes,
    Thumbnails,
    GiveThumbnail,
    WebReader,
    PreviewImages,
    Previews,
    MediaOfUser,
    FreedContent,
    UnshownMedia,
    UploadMediaHandler,
    CreateMediaHandler,
    DeleteMediaHandler,
    QuarantineContentHandler,
    ReleaseContentHandler,
  ],
  exports: [
    MEDIA_STORE,
    MediaFinder,
    Thumbnails,
    KeptContent,
    CacheRoom,
    MediaArrivals,
    MediaOfUser,
    FreedContent,
    UnshownMedia,
  ],
})
export class MediaModule {}
