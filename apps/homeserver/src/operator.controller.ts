import { TLSSocket } from 'node:tls';
import { Controller, Get, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { MatrixError } from '#kernel/matrix-error';
import { checkHealth, HEALTH, type HealthReport, type HealthSources } from '#observability/health';
import { type Metrics, METRICS } from '#observability/metrics';

/** What machines that watch the server ask, by the listener in plain HTTP: that with TLS is where all servers look for this one, and nothing stands before it. */
@Controller()
export class OperatorController {
  constructor(
    @Inject(HEALTH) private readonly sources: HealthSources,
    @Inject(METRICS) private readonly metrics: Metrics,
  ) {}

  /** 200 while the server can do its work, else 503; the body says what is wrong, but not to everybody. */
  @Get('health')
  async health(
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Partial<HealthReport>> {
    const report = await checkHealth(this.sources);
    void reply.status(report.ok ? 200 : 503).header('cache-control', 'no-store');
    return isFromAnywhere(request) ? { ok: report.ok } : report;
  }

  @Get('metrics')
  async exposeMetrics(
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    if (isFromAnywhere(request)) throw new MatrixError('M_UNRECOGNIZED', undefined, { status: 404 });
    const { text, contentType } = await this.metrics.expose();
    void reply.type(contentType);
    return text;
  }
}

function isFromAnywhere({ socket }: FastifyRequest): boolean {
  return socket instanceof TLSSocket;
}
