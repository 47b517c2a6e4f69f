import { IsArray, IsBoolean, IsInt, IsObject, IsOptional, IsString, Min } from 'class-validator';
import { checkDto } from '#http/json-body';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { PublicRoomsPage, PublicRoomsRequest } from './list-public-rooms.js';

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

/** What a network has that is not bridged to this server, so none of its rooms is here. */
export const NO_ROOMS: PublicRoomsPage = Object.freeze({ chunk: [], total_room_count_estimate: 0 });

/**
 * What is wanted of the directory by the body of `POST /publicRooms`, the same for clients and servers; undefined where that are rooms of
 * another network. Throws M_BAD_JSON, M_INVALID_PARAM.
 */
export function readPublicRoomsRequest(body: JsonObject): PublicRoomsRequest | undefined {
  const { limit, since, filter = {}, ...networks } = checkDto(PublicRoomsDto, body);
  const { include_all_networks: all = false, third_party_instance_id: network } = networks;
  const { generic_search_term: term, room_types: types } = checkDto(RoomFilterDto, filter);
  if (types?.some((type) => type !== null && typeof type !== 'string') === true) {
    throw new MatrixError('M_BAD_JSON', 'filter.room_types: must be a list of strings and nulls');
  }
  if (network !== undefined && all) {
    throw new MatrixError('M_INVALID_PARAM', 'third_party_instance_id: not together with include_all_networks');
  }
  if (network !== undefined) return undefined;
  return { limit, since: since || undefined, term, types: types as (string | null)[] | undefined };
}
