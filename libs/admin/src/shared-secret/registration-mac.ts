import { createHmac } from 'node:crypto';
import { isSameSecret } from '#kernel/is-same-secret';

/** What a registration by shared secret vouches for. */
export interface VouchedRegistration {
  readonly nonce: string;
  readonly username: string;
  readonly password: string;
  readonly admin: boolean;
  readonly userType?: string;
}

/**
 * The HMAC-SHA1, in hex, that proves knowledge of the shared secret: over the parts joined by NUL, as the tools that speak
 * `/_synapse/admin/v1/register` compute it.
 */
export function registrationMac(secret: string, registration: VouchedRegistration): string {
  const { nonce, username, password, admin, userType } = registration;
  const parts = [
    nonce,
    username,
    password,
    admin ? 'admin' : 'notadmin',
    ...(userType === undefined ? [] : [userType]),
  ];
  return createHmac('sha1', secret).update(parts.join('\0')).digest('hex');
}

/** Whether a MAC is the right one, found out in the same time whether it is or not. */
export function isRegistrationMac(mac: string, secret: string, registration: VouchedRegistration): boolean {
  return isSameSecret(mac, registrationMac(secret, registration));
}
