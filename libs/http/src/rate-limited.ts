import { DoorRule } from './authenticated.js';
import type { BucketName } from './rate-limits.js';

/** Limits how often one user (or one address, where nobody is known) may call: 429 M_LIMIT_EXCEEDED with `retry_after_ms`. */
export function RateLimited(bucket: BucketName): ClassDecorator & MethodDecorator {
  return DoorRule({ bucket });
}
