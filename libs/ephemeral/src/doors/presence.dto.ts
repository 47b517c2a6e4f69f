import { IsIn, IsNumber, IsOptional, IsString } from 'class-validator';
import { MatrixError } from '#kernel/matrix-error';
import {
  BUSY_TODAY,
  DEVICE_STATES,
  EXACT_STATE,
  isPresenceState,
  isWord,
  readState,
  type SaidState,
} from '../presence/availability.js';

class StatusMessage {
  @IsOptional() @IsString() status_msg?: string | null;
  @IsOptional() @IsString() [EXACT_STATE]?: string | null;
}

export class PresenceBody extends StatusMessage {
  @IsIn([...DEVICE_STATES, BUSY_TODAY]) presence!: string;
}

export class PresenceBodyV1 extends StatusMessage {
  @IsString() presence!: string;
}

/** What a client says of the device that it is on. */
export class DeviceBody {
  @IsOptional() @IsNumber() idle_ms?: number;
  @IsOptional() @IsString() device_type?: string;
}

/**
 * The state that a body names: a known one, or one of any namespace with `presence`, or what its name says, for the nearest that is known. Throws
 * M_BAD_JSON.
 */
export function saidIn(body: StatusMessage & { readonly presence: string }): SaidState {
  const { presence, [EXACT_STATE]: exact } = body;
  if (!isPresenceState(presence) && !(isWord(presence) && presence.includes('.'))) {
    throw new MatrixError('M_BAD_JSON', 'presence: no state that is known, nor one with a namespace');
  }
  if (typeof exact === 'string' && !isWord(exact)) throw new MatrixError('M_BAD_JSON', `${EXACT_STATE}: not a word`);
  const said = readState(presence, exact);
  if (said === undefined) throw new MatrixError('M_BAD_JSON', 'presence: no state');
  return said;
}
