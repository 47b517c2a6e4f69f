import { type CanActivate, type ExecutionContext, Inject, mixin, type Type } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { CONFIG, type Config } from '#config/config';
import { MatrixError } from '#kernel/matrix-error';

/** A guard of paths that there are only where the settings say so: elsewhere they are none (M_UNRECOGNIZED). `path`: that of the route, for where some of its controller are others. */
export function OnlyWhere(isOn: (config: Config, path: string) => boolean): Type<CanActivate> {
  class Guard implements CanActivate {
    constructor(@Inject(CONFIG) private readonly config: Config) {}

    /** Throws M_UNRECOGNIZED. */
    canActivate(context: ExecutionContext): boolean {
      const { url = '' } = context.switchToHttp().getRequest<FastifyRequest>().routeOptions;
      if (!isOn(this.config, url)) throw new MatrixError('M_UNRECOGNIZED', 'There is no such path');
      return true;
    }
  }
  return mixin(Guard);
}
