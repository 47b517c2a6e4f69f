import { type CanActivate, Inject, mixin, type Type } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { MatrixError } from '#kernel/matrix-error';

/** A guard of paths that there are only where the settings say so: elsewhere they are none (M_UNRECOGNIZED). */
export function OnlyWhere(isOn: (config: Config) => boolean): Type<CanActivate> {
  class Guard implements CanActivate {
    constructor(@Inject(CONFIG) private readonly config: Config) {}

    /** Throws M_UNRECOGNIZED. */
    canActivate(): boolean {
      if (!isOn(this.config)) throw new MatrixError('M_UNRECOGNIZED', 'There is no such path');
      return true;
    }
  }
  return mixin(Guard);
}
