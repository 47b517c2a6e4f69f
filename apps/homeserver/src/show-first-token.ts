import type { FirstRegistrationToken } from '#accounts/first-registration-token';
import type { Logger } from '#observability/logger';

/**
 * Shows the operator the token for the first account, at the first start where registration needs one. It is nowhere else:
 * where the log is set to tell less than warnings, it goes to standard error.
 */
export async function showFirstToken(first: FirstRegistrationToken, logger: Logger): Promise<void> {
  await first.issue((token) => {
    const text = `Registration token for one account, shown only this once: ${token}`;
    if (logger.isLevelEnabled('warn')) logger.warn({ registrationToken: token }, text);
    else process.stderr.write(`${text}\n`);
  });
}
