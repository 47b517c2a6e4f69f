import { Controller, Get, HttpCode, Post, Query, UseGuards } from '@nestjs/common';
import { IsArray, IsString } from 'class-validator';
import { findThreepid } from '#accounts/threepids/threepid';
import { JsonBody } from '#http/json-body';
import { type Query as QueryOfUrl, requiredText } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import { MatrixError } from '#kernel/matrix-error';
import { Associations } from '../associations.js';
import { Pepper } from '../pepper.js';
import { IdentityRole } from './identity-role.js';
import { FromIdentityUser } from './identity-user.js';

class LookupBody {
  @IsString({ each: true }) @IsArray() addresses!: string[];
  @IsString() algorithm!: string;
  @IsString() pepper!: string;
}

class BulkBody {
  @IsArray() threepids!: unknown[];
}

/** Who uses v1 has no account, and each address is found by itself. */
const MOST_IN_V1 = 200;

/** Whose identifiers are: identity service API, "Association lookup"; in v1 in plain text, as it was. */
@Controller('_matrix/identity')
export class LookupController {
  constructor(
    private readonly pepper: Pepper,
    private readonly associations: Associations,
  ) {}

  @FromIdentityUser()
  @RateLimited('search')
  @Get('v2/hash_details')
  async hashDetails(): Promise<{
    lookup_pepper: string;
    algorithms: string[];
  }> {
    return { lookup_pepper: await this.pepper.get(), algorithms: ['sha256'] };
  }

  /** Throws M_INVALID_PEPPER, M_INVALID_PARAM for an algorithm that is not served, and M_TOO_LARGE. */
  @FromIdentityUser()
  @RateLimited('search')
  @HttpCode(200)
  @Post('v2/lookup')
  async lookup(@JsonBody(LookupBody) { addresses, algorithm, pepper }: LookupBody): Promise<{ mappings: object }> {
    if (algorithm !== 'sha256') throw new MatrixError('M_INVALID_PARAM', 'algorithm: only sha256 is served');
    return { mappings: await this.pepper.lookUp(pepper, addresses) };
  }

  /** A signed association; `{}` where there is none. */
  @UseGuards(IdentityRole)
  @RateLimited('search')
  @Get('api/v1/lookup')
  async plain(@Query() query: QueryOfUrl): Promise<object> {
    const threepid = findThreepid(requiredText(query, 'medium'), requiredText(query, 'address'));
    return (threepid && (await this.associations.find(threepid))) ?? {};
  }

  @UseGuards(IdentityRole)
  @RateLimited('search')
  @HttpCode(200)
  @Post('api/v1/bulk_lookup')
  async bulk(@JsonBody(BulkBody) { threepids }: BulkBody): Promise<{ threepids: string[][] }> {
    if (threepids.length > MOST_IN_V1) throw new MatrixError('M_TOO_LARGE', `threepids: ${MOST_IN_V1} at most`);
    const found: string[][] = [];
    for (const pair of threepids) {
      if (!Array.isArray(pair)) throw new MatrixError('M_INVALID_PARAM', 'threepids: pairs of a medium and an address');
      const [medium, address] = pair as unknown[];
      if (typeof medium !== 'string' || typeof address !== 'string') {
        throw new MatrixError('M_INVALID_PARAM', 'threepids: pairs of a medium and an address');
      }
      const threepid = findThreepid(medium, address);
      const known = threepid && (await this.associations.find(threepid));
      if (known !== undefined) found.push([medium, address, String(known['mxid'])]);
    }
    return { threepids: found };
  }
}
