import { type ArgumentsHost, Catch } from '@nestjs/common';
import { ErrorPageFilter } from '#http/pages/error-page.filter';
import { MatrixError } from '#kernel/matrix-error';
import { OAuthError } from '../oauth-error.js';

/** As on other pages; and what is wrong with what an application asks, while it is not known where it may be told. */
@Catch()
export class PageErrorFilter extends ErrorPageFilter {
  override catch(thrown: unknown, host: ArgumentsHost): void {
    const isOfApplication = thrown instanceof OAuthError;
    super.catch(isOfApplication ? new MatrixError('M_UNKNOWN', thrown.message, { status: 400 }) : thrown, host);
  }
}
