import { Controller, HttpCode, Inject, Param, Post } from '@nestjs/common';
import { IsOptional, IsString } from 'class-validator';
import { AppServices } from '#config/appservices/app-services';
import { Authenticated, CurrentRequester } from '#http/authenticated';
import { JsonBody } from '#http/json-body';
import { RateLimited } from '#http/rate-limited';
import { CLOCK, type Stopwatch } from '#kernel/clock';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { ServiceClient, ServiceUnreachable } from '../asking/service-client.js';

class PingBody {
  @IsOptional() @IsString() transaction_id?: string;
}

const WITHIN_MS = 30_000;
/** Of what the service says. */
const MOST_TEXT = 4_096;

/** Whether this server reaches an application service that asks it to try (application service API, "Pinging"). */
@Controller('_matrix/client')
export class PingController {
  constructor(
    private readonly services: AppServices,
    private readonly client: ServiceClient,
    @Inject(CLOCK) private readonly stopwatch: Stopwatch,
  ) {}

  @Authenticated()
  @RateLimited('default')
  @HttpCode(200)
  @Post(['v1/appservice/:serviceId/ping', 'unstable/fi.mau.msc2659/appservice/:serviceId/ping'])
  async ping(
    @CurrentRequester() { appServiceId }: Requester,
    @Param('serviceId') serviceId: string,
    @JsonBody(PingBody, { allowEmpty: true }) body: PingBody,
  ): Promise<{ duration_ms: number }> {
    const service = appServiceId === serviceId ? this.services.find(serviceId) : undefined;
    if (service === undefined) {
      throw new MatrixError('M_FORBIDDEN', 'The access token is not that of the application service');
    }
    if (service.url === undefined) throw new MatrixError('M_URL_NOT_SET');
    const began = this.stopwatch.elapsed();
    const text = JSON.stringify(body.transaction_id === undefined ? {} : { transaction_id: body.transaction_id });
    const answer = await this.client
      .ask(service, { method: 'POST', path: '/_matrix/app/v1/ping', body: text, withinMs: WITHIN_MS })
      .catch((error: unknown) => {
        if (!(error instanceof ServiceUnreachable)) throw error;
        throw new MatrixError(error.isLate ? 'M_CONNECTION_TIMEOUT' : 'M_CONNECTION_FAILED', error.message);
      });
    const { status } = answer;
    if (status < 200 || status >= 300) {
      const fields = { status, body: answer.text.slice(0, MOST_TEXT) };
      throw new MatrixError('M_BAD_STATUS', `The application service answered ${status}`, { fields });
    }
    return { duration_ms: Math.round(this.stopwatch.elapsed() - began) };
  }
}
