import { IsArray, IsBoolean, IsIn, IsObject, IsOptional, IsString } from 'class-validator';
import { ListOf } from '#http/json-body';
import type { JsonObject } from '#kernel/json';
import type { Preset } from '../decide/new-room-events.js';
import { InvitedAddressDto } from './invited-address.js';

/** A key of our own: 2015, "Presence List", lets a group be invited to a new room at once, and says not how. */
export const INVITE_GROUPS = 'dev.annals.invite_groups';

/** A state event of POST /createRoom. */
export class InitialStateDto {
  @IsString()
  type!: string;

  @IsOptional()
  @IsString()
  state_key?: string;

  @IsObject()
  content!: JsonObject;
}

/** The body of POST /createRoom: client-server API, "Creation". */
export class CreateRoomDto {
  @IsOptional()
  @IsIn(['public', 'private'])
  visibility?: 'public' | 'private';

  @IsOptional()
  @IsString()
  room_alias_name?: string;

  @IsOptional()
  @IsString()
  name?: string;

  @IsOptional()
  @IsString()
  topic?: string;

  @IsOptional()
  @IsArray()
  @IsString({ each: true })
  invite?: string[];

  /** Groups of the creator's presence list: who is in them is invited too. */
  @IsOptional()
  @IsArray()
  @IsString({ each: true })
  [INVITE_GROUPS]?: string[];

  @IsOptional()
  @ListOf(InvitedAddressDto)
  invite_3pid?: InvitedAddressDto[];

  @IsOptional()
  @IsString()
  room_version?: string;

  @IsOptional()
  @IsObject()
  creation_content?: JsonObject;

  @IsOptional()
  @ListOf(InitialStateDto)
  initial_state?: InitialStateDto[];

  @IsOptional()
  @IsIn(['private_chat', 'public_chat', 'trusted_private_chat'])
  preset?: Preset;

  @IsOptional()
  @IsBoolean()
  is_direct?: boolean;

  @IsOptional()
  @IsObject()
  power_level_content_override?: JsonObject;
}
