// A bridge of matrix-appservice-bridge to a network of its own, without encryption:
// `node bridge.cjs FOLDER BASE PORT REGISTRATION`, where FOLDER has it in node_modules. It writes `listening` once it does. On the
// network an echo hears what people say (`heard: …`), edit and take back, and does as they do: types, reads, goes away.
const { createRequire } = require('node:module');
const { join } = require('node:path');

const [, , folder, base, port, registrationFile] = process.argv;
const requireThere = createRequire(join(folder, 'package.json'));
// The machine code of its encryption comes from no registry, and all of it is required together: nothing stands in for that part.
const requireOfBridge = createRequire(requireThere.resolve('matrix-appservice-bridge'));
const missing = createRequire(requireOfBridge.resolve('@vector-im/matrix-bot-sdk')).resolve(
  '@matrix-org/matrix-sdk-crypto-nodejs',
);
require.cache[missing] = { id: missing, filename: missing, loaded: true, exports: {} };
const { Bridge, Logger, MemoryProvisioningStore, ProvisioningApi, AppServiceRegistration } =
  requireThere('matrix-appservice-bridge');
Logger.configure({ console: 'off' });

const registration = AppServiceRegistration.fromObject(JSON.parse(require('node:fs').readFileSync(registrationFile)));
const [, domain] = registration.getOutput().namespaces.users[0].regex.split(':');
const host = domain.replaceAll('\\', '');
const complain = (error) => console.error(error);
/** What the echo said of what people said, by the ids of both. */
const echoes = new Map();
const isHuman = (userId) => !userId.startsWith('@_net_');

const bridge = new Bridge({
  homeserverUrl: base,
  domain: host,
  registration,
  disableStores: true,
  roomUpgradeOpts: { consumeEvent: true, migrateGhosts: true, migrateStoreEntries: false },
  controller: {
    onLog() {},
    onEvent: (request) => void hear(request.getData()).catch(complain),
    onEphemeralEvent: (request) => mirror(request.getData()).catch(complain),
    onUserQuery: (user) => (user.localpart === '_net_wanted' ? { name: 'Wanted on the network' } : null),
    onAliasQuery: (_, localpart) =>
      localpart === '_net_channel'
        ? { creationOpts: { preset: 'public_chat', room_alias_name: localpart, name: 'A channel of the network' } }
        : null,
    onAliasQueried: (_, roomId) =>
      echo()
        .join(roomId)
        .then(() => {}),
    thirdPartyLookup: {
      protocols: ['net'],
      getProtocol: () => ({ user_fields: ['nick'], location_fields: [], icon: '', instances: [], field_types: {} }),
      getUser: (_, { nick }) => [{ userid: `@_net_${nick}:${host}`, protocol: 'net', fields: { nick } }],
    },
  },
});
const echo = () => bridge.getIntentFromLocalpart('_net_echo');

/** What happens in rooms. */
async function hear(event) {
  const { type, sender, room_id: roomId, event_id: eventId, state_key: stateKey, content } = event;
  if (!isHuman(sender)) return;
  if (type === 'm.room.member' && content.membership === 'invite' && !isHuman(stateKey)) {
    await bridge.getIntent(stateKey).join(roomId);
  } else if (type === 'm.room.message') {
    const edited = content['m.relates_to']?.rel_type === 'm.replace' ? content['m.relates_to'].event_id : undefined;
    const said = {
      msgtype: 'm.text',
      body: `heard: ${(edited === undefined ? content : content['m.new_content']).body}`,
    };
    if (edited !== undefined) {
      const of = { rel_type: 'm.replace', event_id: echoes.get(edited) };
      await echo().sendMessage(roomId, { ...said, 'm.new_content': said, 'm.relates_to': of });
    } else if (content.body === '!picture') {
      const url = await echo().uploadContent(Buffer.from('a picture of the network'), {
        name: 'p.png',
        type: 'image/png',
      });
      await echo().sendMessage(roomId, { msgtype: 'm.image', body: 'picture', url });
    } else echoes.set(eventId, (await echo().sendMessage(roomId, said)).event_id);
  } else if (type === 'm.room.redaction') {
    const said = echoes.get(event.redacts ?? content.redacts);
    if (said !== undefined) await echo().matrixClient.redactEvent(roomId, said, 'taken back there too');
  }
}

/** What passes. */
async function mirror({ type, room_id: roomId, sender, content }) {
  if (type === 'm.typing' && content.user_ids.some(isHuman)) await echo().sendTyping(roomId, true);
  if (type === 'm.receipt') {
    for (const [eventId, receipts] of Object.entries(content)) {
      if (Object.keys(receipts['m.read'] ?? {}).some(isHuman)) await echo().sendReadReceipt(roomId, eventId);
    }
  }
  if (type === 'm.presence' && isHuman(sender) && content.status_msg !== undefined) {
    await echo().setPresence(content.presence, `as ${content.status_msg}`);
  }
}

async function main() {
  await bridge.initialise();
  await bridge.getBot().getJoinedRooms();
  await echo().ensureProfile('The echo');
  await bridge.listen(Number(port), '127.0.0.1');
  const provisioning = new ProvisioningApi(new MemoryProvisioningStore(), {
    expressApp: bridge.appService.expressApp,
    openIdOverride: { [host]: new URL(base) },
  });
  // Who shows who they are has a room of theirs linked to the network.
  provisioning.addRoute('post', '/v1/link', async (request, response) => {
    await bridge.getIntent().join(request.body.room);
    await echo().join(request.body.room);
    response.send({ by: request.userId });
  });
  console.log('listening');
}

main().catch((error) => {
  complain(error);
  process.exit(1);
});
