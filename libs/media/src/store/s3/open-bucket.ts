import { Logger } from '@nestjs/common';
import { ConfigError } from '#config/config-error';
import type { BucketConfig } from '#config/media-config';
import { StoreUnavailable } from '../media-store.js';
import { Bucket } from './bucket.js';
import { BucketMediaStore, BucketOfAnother, soon } from './bucket-media-store.js';

/**
 * The store of content in a bucket, which need not be reached now. `folder`: for what is being received. Throws ConfigError where the bucket is
 * of another server.
 */
export async function openBucket(config: BucketConfig, folder: string, serverName: string): Promise<BucketMediaStore> {
  const log = new Logger('media');
  const bucket = new Bucket(config, {
    onLost: (reason) => log.error(`the bucket of media cannot be used: ${reason}`),
    onBack: (lostMs) => log.log({ lostMs }, 'the bucket of media is back'),
  });
  const store = new BucketMediaStore(bucket, folder, serverName);
  try {
    await soon(store.claim());
  } catch (error) {
    if (error instanceof BucketOfAnother) throw new ConfigError(`ANNALS_MEDIA_BUCKET: ${error.message}`);
    if (!(error instanceof StoreUnavailable)) throw error;
  }
  return store;
}
