import { Controller, Get, Inject, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { checkHealth, HEALTH, type HealthReport, type HealthSources } from '#observability/health';
import { type Metrics, METRICS } from '#observability/metrics';

/** What machines that watch the server ask. */
@Controller()
export class OperatorController {
  constructor(
    @Inject(HEALTH) private readonly sources: HealthSources,
    @Inject(METRICS) private readonly metrics: Metrics,
  ) {}

  /** 200 while the server can do its work, else 503; the body says what is wrong. */
  @Get('health')
  async health(@Res({ passthrough: true }) reply: FastifyReply): Promise<HealthReport> {
    const report = await checkHealth(this.sources);
    void reply.status(report.ok ? 200 : 503).header('cache-control', 'no-store');
    return report;
  }

  @Get('metrics')
  async exposeMetrics(@Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    const { text, contentType } = await this.metrics.expose();
    void reply.type(contentType);
    return text;
  }
}
