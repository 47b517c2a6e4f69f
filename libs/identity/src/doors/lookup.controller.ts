import { Controller, Get, HttpCode, Post } from '@nestjs/common';
import { IsArray, IsString } from 'class-validator';
import { JsonBody } from '#http/json-body';
import { RateLimited } from '#http/rate-limited';
import { MatrixError } from '#kernel/matrix-error';
import { FindableAssociations } from '../associations/findable-associations.js';
import { Pepper } from '../associations/pepper.js';
import { CurrentCaller, FromIdentityUser, type IdentityCaller } from './identity-user.js';

class LookupBody {
  @IsString({ each: true }) @IsArray() addresses!: string[];
  @IsString() algorithm!: string;
  @IsString() pepper!: string;
}

/** Whose identifiers are, by their hashes, as far as people let who asks find them: identity service API, "Association lookup". */
@FromIdentityUser()
@Controller('_matrix/identity')
export class LookupController {
  constructor(
    private readonly pepper: Pepper,
    private readonly findable: FindableAssociations,
  ) {}

  @RateLimited('search')
  @Get('v2/hash_details')
  async hashDetails(): Promise<{ lookup_pepper: string; algorithms: string[] }> {
    return { lookup_pepper: await this.pepper.get(), algorithms: ['sha256'] };
  }

  /** Throws M_INVALID_PEPPER, M_INVALID_PARAM for an algorithm that is not served, and M_TOO_LARGE. */
  @RateLimited('search')
  @HttpCode(200)
  @Post('v2/lookup')
  async lookup(
    @CurrentCaller() { userId }: IdentityCaller,
    @JsonBody(LookupBody) body: LookupBody,
  ): Promise<{ mappings: object }> {
    const found = await this.findable.lookUp(parseLookup(body), userId);
    return { mappings: Object.fromEntries(found) };
  }

  /** The same with the keys of whom is found, each signed by this server: "dissemination of public keys" (2015, "Identity"). No API of today has it. */
  @RateLimited('search')
  @HttpCode(200)
  @Post('unstable/dev.annals.keys/lookup')
  async keys(
    @CurrentCaller() { userId }: IdentityCaller,
    @JsonBody(LookupBody) body: LookupBody,
  ): Promise<{ mappings: object }> {
    const found = await this.findable.lookUp(parseLookup(body), userId);
    const keys = await this.findable.keysOf(found.map(([, mxid]) => mxid));
    return { mappings: Object.fromEntries(found.map(([hash], i) => [hash, keys[i]])) };
  }
}

/** Throws M_INVALID_PARAM. */
function parseLookup({ addresses, algorithm, pepper }: LookupBody): {
  readonly hashes: string[];
  readonly pepper: string;
} {
  if (algorithm !== 'sha256') throw new MatrixError('M_INVALID_PARAM', 'algorithm: only sha256 is served');
  return { hashes: addresses, pepper };
}
