import { Controller, Get, Inject } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { Authenticated } from '#http/authenticated';
import { RateLimited } from '#http/rate-limited';
import { MatrixError } from '#kernel/matrix-error';

/** For how long this server keeps messages: MSC1763, "Server-defined retention". */
@Controller('_matrix/client/unstable/org.matrix.msc1763/retention')
@Authenticated()
@RateLimited('default')
export class RetentionController {
  constructor(@Inject(CONFIG) private readonly config: Pick<Config, 'retention'>) {}

  /** Throws M_UNRECOGNIZED where no message ever goes because of its age. */
  @Get('configuration')
  configuration(): object {
    const { isOn, defaultMinMs, defaultMaxMs, allowedMinMs, allowedMaxMs } = this.config.retention;
    if (!isOn) throw new MatrixError('M_UNRECOGNIZED', 'This server keeps messages for ever');
    const policy = withoutEmpty({ min_lifetime: defaultMinMs, max_lifetime: defaultMaxMs });
    const lifetime = withoutEmpty({ min: allowedMinMs, max: allowedMaxMs });
    return {
      policies: policy === undefined ? {} : { '*': policy },
      limits: lifetime === undefined ? {} : { max_lifetime: lifetime },
    };
  }
}

/** What is said of some keys; undefined where nothing is. */
function withoutEmpty(told: Readonly<Record<string, number | undefined>>): object | undefined {
  const said = Object.entries(told).filter(([, value]) => value !== undefined);
  return said.length === 0 ? undefined : Object.fromEntries(said);
}
