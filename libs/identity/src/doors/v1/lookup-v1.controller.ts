import { Controller, Get, HttpCode, Post, Query, UseGuards } from '@nestjs/common';
import { IsArray } from 'class-validator';
import { findThreepid, type Threepid } from '#accounts/threepids/threepid';
import { JsonBody } from '#http/json-body';
import { type Query as QueryOfUrl, requiredText } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import { MatrixError } from '#kernel/matrix-error';
import { FindableAssociations } from '../../associations/findable-associations.js';
import { PlainLookup } from './plain-lookup.js';

class BulkBody {
  @IsArray() threepids!: unknown[];
}

/** Who uses v1 has no account, and each address is found by itself. */
const MOST = 200;

/** Whose identifiers are, in plain text: of those alone whom everybody may find, for nobody knows who asks. */
@UseGuards(PlainLookup)
@Controller('_matrix/identity/api/v1')
export class LookupV1Controller {
  constructor(private readonly findable: FindableAssociations) {}

  /** A signed association; `{}` where there is none. */
  @RateLimited('search')
  @Get('lookup')
  async plain(@Query() query: QueryOfUrl): Promise<object> {
    const threepid = findThreepid(requiredText(query, 'medium'), requiredText(query, 'address'));
    const [found] = threepid === undefined ? [] : await this.findable.findPlain([threepid]);
    return found ?? {};
  }

  @RateLimited('search')
  @HttpCode(200)
  @Post('bulk_lookup')
  async bulk(@JsonBody(BulkBody) { threepids }: BulkBody): Promise<{ threepids: string[][] }> {
    if (threepids.length > MOST) throw new MatrixError('M_TOO_LARGE', `threepids: ${MOST} at most`);
    const asked = threepids.map(parsePair);
    const known = asked.flatMap(({ threepid }) => threepid ?? []);
    const found = await this.findable.findPlain(known);
    const owners = new Map(known.map((threepid, i) => [threepid, found[i]]));
    return {
      threepids: asked.flatMap(({ pair, threepid }) => {
        const association = threepid && owners.get(threepid);
        return association === undefined ? [] : [[...pair, String(association['mxid'])]];
      }),
    };
  }
}

interface Pair {
  readonly pair: readonly [medium: string, address: string];
  readonly threepid: Threepid | undefined;
}

/** Throws M_INVALID_PARAM. */
function parsePair(value: unknown): Pair {
  const [medium, address] = (Array.isArray(value) ? value : []) as unknown[];
  if (typeof medium === 'string' && typeof address === 'string') {
    return { pair: [medium, address], threepid: findThreepid(medium, address) };
  }
  throw new MatrixError('M_INVALID_PARAM', 'threepids: pairs of a medium and an address');
}
