import type { Config } from '#config/config';
import type { Clock } from '#kernel/clock';
import type { KeptContent } from '#media/kept-content';
import type { Logger } from '#observability/logger';

/** Longer than content that was brought waits for the log to say who has it. */
const STRAY_PAUSE_MS = 60_000;

/** What an upload or a deletion has left halfway. Nobody waits for it: it has no name. */
export function freeStrayContent(kept: KeptContent, { eventStoreUrl }: Config, clock: Clock, logger: Logger): void {
  const shared = eventStoreUrl === undefined ? undefined : { pauseMs: STRAY_PAUSE_MS, now: clock.now() };
  kept.freeStrays(shared).then(
    (freed) => freed > 0 && logger.info({ freed }, 'freed content that belongs to no medium'),
    (error: unknown) => logger.warn({ err: error }, 'content that belongs to no medium was not looked for'),
  );
}
