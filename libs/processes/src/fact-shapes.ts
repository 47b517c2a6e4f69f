import { ACCOUNT_SHAPES } from '#accounts/facts/account-facts';
import { AUTH_NOTE_SHAPES } from '#accounts/facts/auth-note-facts';
import { EXTERNAL_ID_SHAPES } from '#accounts/facts/external-id-facts';
import { REGISTRATION_TOKEN_SHAPES } from '#accounts/facts/registration-token-facts';
import { THREEPID_SHAPES } from '#accounts/facts/threepid-facts';
import { CONTACT_SHAPES } from '#contacts/facts/contact-facts';
import { CROSS_SIGNING_SHAPES } from '#devices/facts/cross-signing-facts';
import { PURGE_SHAPES } from '#admin/facts/purge-facts';
import { ERASURE_SHAPES } from '#admin/facts/erasure-facts';
import { REPORT_SHAPES } from '#admin/facts/report-facts';
import { BACKUP_SHAPES } from '#devices/facts/backup-facts';
import { DEVICE_KEY_SHAPES } from '#devices/facts/device-key-facts';
import { TO_DEVICE_SHAPES } from '#devices/facts/to-device-facts';
import { REMOTE_DEVICE_SHAPES } from '#devices/facts/remote-device-facts';
import { SERVICE_SHAPES } from '#appservices/facts/service-facts';
import { ALIAS_SHAPES } from '#directory/facts/alias-facts';
import { NETWORK_SHAPES } from '#directory/facts/network-facts';
import { PRESENCE_SHAPES } from '#ephemeral/facts/presence-facts';
import { RECEIPT_SHAPES } from '#ephemeral/facts/receipt-facts';
import { SUBSCRIPTION_SHAPES } from '#ephemeral/facts/subscription-facts';
import type { FactShapes } from '#event-store/fact-shapes';
import { IDENTITY_SHAPES } from '#identity/facts/identity-facts';
import { STORED_INVITE_SHAPES } from '#identity/facts/stored-invite-facts';
import { INBOUND_SHAPES } from '#federation/facts/inbound-facts';
import { ORIGIN_SHAPES } from '#federation/facts/origin-facts';
import { REFUSAL_SHAPES } from '#federation/facts/refusal-facts';
import { DESTINATION_SHAPES } from '#federation/facts/destination-facts';
import { SERVER_KEY_SHAPES } from '#federation/facts/server-key-facts';
import { LOG_SHAPES } from '#event-store/log-identity';
import { CONTENT_SHAPES } from '#media/facts/content-facts';
import { DELAYED_EVENT_SHAPES } from '#calls/facts/delayed-event-facts';
import { MEDIA_SHAPES } from '#media/facts/media-facts';
import { CLOCK_SHAPES } from '#projections/clock-facts';
import { EFFECTS_SHAPES } from '#projections/effects/effect-facts';
import { FORGOTTEN_SHAPES } from '#projections/forgotten-facts';
import { SIGN_IN_SHAPES } from '#oauth/facts/sign-in-facts';
import { PUSH_RULE_SHAPES } from '#push/facts/push-rule-facts';
import { PUSHER_SHAPES } from '#push/facts/pusher-facts';
import { ELSEWHERE_SHAPES } from '#rooms/facts/elsewhere-facts';
import { RETENTION_SHAPES } from '#rooms/facts/retention-facts';
import { HELD_INVITATION_SHAPES } from '#rooms/facts/held-invitation-facts';
import { ROOM_SHAPES } from '#rooms/facts/room-facts';
import { THREAD_SUBSCRIPTION_SHAPES } from '#rooms/facts/thread-subscription-facts';
import { SLIDING_SHAPES } from '#sync/facts/sliding-facts';

/** Every type of fact there is, with its upcasters. A type stands in one stream's list only, or the compiler says so. */
export const FACT_SHAPES: FactShapes = {
  ...LOG_SHAPES,
  ...ROOM_SHAPES,
  ...ELSEWHERE_SHAPES,
  ...ACCOUNT_SHAPES,
  ...REGISTRATION_TOKEN_SHAPES,
  ...THREEPID_SHAPES,
  ...AUTH_NOTE_SHAPES,
  ...SIGN_IN_SHAPES,
  ...EXTERNAL_ID_SHAPES,
  ...PUSH_RULE_SHAPES,
  ...PUSHER_SHAPES,
  ...CONTACT_SHAPES,
  ...IDENTITY_SHAPES,
  ...STORED_INVITE_SHAPES,
  ...DELAYED_EVENT_SHAPES,
  ...RECEIPT_SHAPES,
  ...THREAD_SUBSCRIPTION_SHAPES,
  ...PRESENCE_SHAPES,
  ...SUBSCRIPTION_SHAPES,
  ...HELD_INVITATION_SHAPES,
  ...CROSS_SIGNING_SHAPES,
  ...DEVICE_KEY_SHAPES,
  ...REMOTE_DEVICE_SHAPES,
  ...TO_DEVICE_SHAPES,
  ...BACKUP_SHAPES,
  ...ALIAS_SHAPES,
  ...NETWORK_SHAPES,
  ...SERVER_KEY_SHAPES,
  ...ORIGIN_SHAPES,
  ...INBOUND_SHAPES,
  ...DESTINATION_SHAPES,
  ...REFUSAL_SHAPES,
  ...SERVICE_SHAPES,
  ...CLOCK_SHAPES,
  ...EFFECTS_SHAPES,
  ...FORGOTTEN_SHAPES,
  ...SLIDING_SHAPES,
  ...MEDIA_SHAPES,
  ...CONTENT_SHAPES,
  ...REPORT_SHAPES,
  ...PURGE_SHAPES,
  ...ERASURE_SHAPES,
  ...RETENTION_SHAPES,
};
