import type { RateLimitClass } from '#config/rate-limits';
import { DoorRule } from './authenticated.js';

/** Limits how often one device, user and address may call: 429 M_LIMIT_EXCEEDED with `retry_after_ms`. See `RateLimits`. */
export function RateLimited(limit: RateLimitClass): ClassDecorator & MethodDecorator {
  return DoorRule({ limit });
}
