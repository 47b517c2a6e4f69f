import { IsArray, IsBoolean, IsInt, IsObject, IsOptional, IsString, Min } from 'class-validator';
import { checkDto } from '#http/json-body';
import type { ServerName } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { Views } from '#projections/views';
import type { Network } from './listed-rooms.js';
import { listPublicRooms, type PublicRoomsPage, type PublicRoomsRequest } from './list-public-rooms.js';

class PublicRoomsDto {
  @IsOptional()
  @IsInt()
  @Min(0)
  limit?: number;

  @IsOptional()
  @IsString()
  since?: string;

  @IsOptional()
  @IsObject()
  filter?: JsonObject;

  @IsOptional()
  @IsBoolean()
  include_all_networks?: boolean;

  @IsOptional()
  @IsString()
  third_party_instance_id?: string;
}

class RoomFilterDto {
  @IsOptional()
  @IsString()
  generic_search_term?: string;

  @IsOptional()
  @IsArray()
  room_types?: unknown[];
}

/** What is wanted of a directory. */
export interface WantedRooms {
  readonly request: PublicRoomsRequest;
  /** Rooms of which network that is bridged to the server, or of all; left out: the server's own. */
  readonly network: Network | undefined;
}

/**
 * What is wanted of a directory by the body of `POST /publicRooms`, the same for clients and servers. Throws M_BAD_JSON, M_INVALID_PARAM.
 */
export function readPublicRoomsRequest(body: JsonObject): WantedRooms {
  const { limit, since, filter = {}, ...networks } = checkDto(PublicRoomsDto, body);
  const { include_all_networks: all = false, third_party_instance_id: id } = networks;
  const { generic_search_term: term, room_types: types } = checkDto(RoomFilterDto, filter);
  if (types?.some((type) => type !== null && typeof type !== 'string') === true) {
    throw new MatrixError('M_BAD_JSON', 'filter.room_types: must be a list of strings and nulls');
  }
  if (id !== undefined && all) {
    throw new MatrixError('M_INVALID_PARAM', 'third_party_instance_id: not together with include_all_networks');
  }
  const request = { limit, since: since || undefined, term, types: types as (string | null)[] | undefined };
  return { request, network: id === undefined ? (all ? 'all' : undefined) : { id } };
}

/** What this server lists of it. Throws M_INVALID_PARAM. */
export function listWanted(
  views: Views,
  ours: ServerName,
  { request, network }: WantedRooms,
): Promise<PublicRoomsPage> {
  return listPublicRooms(views, ours, { ...request, network });
}
