/**
 * What often stands in facts, so that they need not hold it (see `pack-text.ts`). It is part of the log's format: changed, it is
 * that of another layout (see `fact-record.ts`).
 */
export const FAMILIAR_TEXT = [
  // Facts of accounts, devices, receipts, effects.
  '"password_hash":"$argon2id$v=19$m=19456,t=2,p=1$","kind":"user","via":"open"}',
  '{"effects":["room-upgrade","room-succession","canonical-alias","profile-announcement","departure","guest-eviction","redaction-erasure","account-erasure"],"mark":{"stream":"room-!","revision":',
  ',"log_id":"effects-passedserver{"by":"here account-registereddevice-addedaccount-data-setprofile-changedroom-forgottentag-setreceipt-setalias-created',
  '","token_hash":"{"type":"m.direct","content":{","salt":"{"alias":"#","creator":"@',
  // Events, by what else they are.
  'pdu-soft-failedpdu-rejectedpdu-redactedoutlier-storedstate-learntroom-listedjoin-begunjoin-completed',
  '{"ban":50,"events":{"m.room.avatar":50,"m.room.canonical_alias":50,"m.room.encryption":100,"m.room.history_visibility":100,"m.room.name":50,"m.room.power_levels":100,"m.room.server_acl":100,"m.room.tombstone":150},"events_default":0,"invite":0,"kick":50,"notifications":{"room":50},"redact":50,"state_default":50,"users":{},"users_default":0}',
  '"m.room.create","m.room.join_rules"{"join_rule":"invite"}{"join_rule":"public"}"m.room.guest_access"{"guest_access":"can_join"}"m.room.topic"{"topic":"',
  '"redacts":"$","type":"m.room.redaction"}"type":"m.reaction"}{"m.relates_to":{"event_id":"$","key":"","rel_type":"m.annotation"}},"m.new_content":{"rel_type":"m.replace""is_falling_back":true,"rel_type":"m.thread"{"m.in_reply_to":{"event_id":"$',
  '"m.mentions":{"user_ids":["@"]}"format":"org.matrix.custom.html","formatted_body":"<p></p>","filename":"image.jpg","info":{"h":,"mimetype":"image/jpeg","size":,"thumbnail_info":{"thumbnail_url":"mxc://","w":,"xyz.amorgan.blurhash":"","url":"mxc://"}',
  '","membership":"invite"},"membership":"leave"},"membership":"ban"},"replaces":"$"reason":"","unsigned":{"',
  '[{"type":"m.room.member","state_key":"@","event_id":"$"}],"root":"","extremities":["$',
  '"],"content":{"avatar_url":"mxc://","displayname":"","membership":"join"},"depth":1"state_key":"@","type":"m.room.member"}}',
  '"],"content":{"algorithm":"m.megolm.v1.aes-sha2","ciphertext":"","device_id":"","sender_key":"","session_id":"","type":"m.room.encrypted"}}',
  // A message.
  'pdu-accepted@',
  '{"event_id":"$","room_version":"11","state":[],"root":"","extremities":["$"],"txn":{"device_id":"","txn_id":"m1"},"visibility":"joined","room_version":"12","state":[],"root":"',
  '"txn_id":"m17","visibility":"shared","pdu":{"auth_events":["$","$","$"],"content":{"body":"","msgtype":"m.text"},"depth":1,"hashes":{"sha256":"',
  '"},"origin":"matrix.org","origin_server_ts":179,"prev_events":["$"],"room_id":"!","sender":"@',
  '","signatures":{"":{"ed25519:a_":"',
  '"}},"type":"m.room.message"}}',
].join('');
