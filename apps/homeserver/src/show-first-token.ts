import type { FirstRegistrationToken } from '#accounts/first-registration-token';
import type { ProcessLog } from '#observability/logger';

/** A log that stands still for so many milliseconds holds no start up. */
const WRITTEN_MS = 1000;

/**
 * Shows the operator the token for the first account, at the first start where registration needs one. It is nowhere else:
 * where the log is set to tell less than warnings, it goes to standard error. Where its line was not written, the next start shows another.
 */
export async function showFirstToken(
  first: FirstRegistrationToken,
  { logger, sink }: Pick<ProcessLog, 'logger' | 'sink'>,
): Promise<void> {
  await first.issue((token) => {
    const text = `Registration token for one account, shown only this once: ${token}`;
    if (!logger.isLevelEnabled('warn'))
      return new Promise<boolean>((resolve) => process.stderr.write(`${text}\n`, (error) => resolve(error == null)));
    const { dropped } = sink;
    logger.warn({ registrationToken: token }, text);
    return sink.dropped === dropped && sink.flush(WRITTEN_MS);
  });
}
